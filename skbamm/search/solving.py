"""The state of joint solves: solvers, a bank of solutions, and the way back to own fits."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from skbamm.data.matrices import feature_memory
from skbamm.effort import Meter, OverBudget
from skbamm.faults import is_users
from skbamm.folds import threads_for_rows
from skbamm.models import NotApplicable, has_transformers, last_step
from skbamm.models.base import L1_RATIO
from skbamm.progress import say
from skbamm.search.bank import Bank
from skbamm.search.device_scores import DeviceScores
from skbamm.search.factory import SolverFactory
from skbamm.search.keys import candidate_key
from skbamm.search.outcome import Outcome, Settings
from skbamm.search.own_fits.budget import budget
from skbamm.search.own_fits.check import UnfitTwin
from skbamm.search.own_fits.cost import Probe
from skbamm.solvers.base import FoldSolver
from skbamm.solvers.criterion import UnfitCriterion
from skbamm.solvers.solutions import FoldSolutions, Solution
from skbamm.space import Combination, Space, UnfitVector


@dataclass(frozen=True)
class Attempt:
    """The outcome of a joint solve.

    Attributes
    ----------
    reason : str
        Why it could not be done; "" if it was.
    failed : bool
        Whether that is a fault of this package.
    sooner : bool
        Whether own fits are expected to be faster.
    """

    reason: str = ""
    failed: bool = False
    sooner: bool = False


class Solving:
    """The state that lists, intervals and the refit share.

    Parameters
    ----------
    space : Space
    settings : Settings
    bank : Bank
        Receives the solutions.
    factory : SolverFactory

    Attributes
    ----------
    outcome : Outcome
    solvers : dict of str -> FoldSolver
        The solver of each candidate, for the refit.
    combinations : dict of str -> Combination
        The combination of each candidate.
    adoptable : bool
        False: every model is fitted by its own fit, from its solution.
    scores : DeviceScores or None
        Scores what is solved on a device.
    watched : bool
        True: every model is fitted by its own fit, as if none were solved.
    """

    def __init__(self, space: Space, settings: Settings, bank: Bank, factory: SolverFactory):
        self.space, self.settings, self.bank, self.factory = space, settings, bank, factory
        self.outcome, self.clock = Outcome(), settings.clock
        self.row_weights = bank.row_weights = factory.row_weights
        self.solvers: dict[str, FoldSolver] = {}
        self.combinations: dict[str, Combination] = {}
        self.adoptable, self.watched = True, False
        self.scores: DeviceScores | None = None

    def solver(self, combination: Combination) -> Any:
        """Return the solver of a combination, or raise NotApplicable."""
        target, params = combination.target, combination.params
        joint: FoldSolver
        if combination.holder is not None:
            joint = self.factory.make_vector(target, params, combination.axes)
        elif combination.line_axis is not None:
            joint = self.factory.make_line(
                target, params, combination.line_axis, bool(combination.axes)
            )
        else:
            # The penalty of squares is another one if there are absolute values beside it.
            mixes = any(one.name == L1_RATIO.name for one in target.tuned.values())
            joint = self.factory.make(target, params, alike=not mixes)
        self.outcome.device = str(joint.device)
        self._say_which_folds(combination, joint.used)
        return joint

    def keep(
        self,
        joint: FoldSolver,
        solutions: FoldSolutions,
        keys: list[str],
        combinations: list[Combination],
    ) -> None:
        """Put the solutions of candidates into the bank."""
        if self.watched:
            return
        features = feature_memory(self.factory.X) if joint.folds is None else None
        kept: list[list[Solution]] = []
        for s, (key, combination) in enumerate(zip(keys, combinations, strict=True)):
            self.combinations[key] = combination
            self.solvers[key] = solutions.solvers[s] if solutions.solvers else joint
            kept.append([])
            for k, fold in enumerate(joint.used):
                solution = joint.solution(solutions, s, k, features)
                data = None if joint.folds is None else joint.folds[fold]
                if data is not None and data.knows_test_rows:
                    self.bank.test_rows[id(data.transformers)] = data.test_rows
                solution.adopt &= self.adoptable
                self.bank.put(key, fold, solution)
                kept[-1].append(solution)
        if self.scores is not None:
            self.scores.of(joint, solutions, combinations, kept)

    def meter(
        self,
        joint: FoldSolver,
        candidates: Sequence[tuple[Any, dict[str, Any]]],
        fits: int,
        values: int,
        scored: int = 0,
    ) -> Meter | None:
        """Return the meter of a joint solve; see ``budget``.

        ``candidates`` are the one in the middle and those at the ends: the estimator that is set
        to the candidate, and its parameters.
        """
        given = self.factory.fit_params or self.row_weights is not None or self.watched
        folds = for_own_fits(joint.given_folds)
        probes = []
        for estimator, params in candidates:
            keep = partial(self.bank.keep_timed, candidate_key(params))
            if last_step(estimator) is estimator:
                is_own = joint.data.matrix is self.factory.X
            else:
                is_own = folds is not None and has_transformers(estimator)
            probes.append(Probe(estimator, keep if is_own and not given else None))
        return budget(joint, probes, self.factory.y, fits, values, scored)

    def hand_on(self, joint: FoldSolver, group: list[Combination]) -> None:
        """Let own fits of some candidates have the rows that are transformed already."""
        folds = for_own_fits(joint.given_folds)
        if folds is not None:
            for one in group:
                self.bank.transformed[candidate_key(one.params)] = folds

    def attempt(self, solve: Callable[[], object]) -> Attempt:
        """Run a joint solve; scikit-learn's own fits are used where it is not possible."""
        try:
            with threads_for_rows():
                self._on_device(solve)
        except (UnfitCriterion, UnfitTwin, UnfitVector):
            raise
        except (NotApplicable, OverBudget) as error:
            return Attempt(str(error), sooner=isinstance(error, OverBudget))
        except Exception as error:
            if is_users(error):
                raise
            # A fault of ours costs the user speed, not the result.
            self.outcome.converged = False
            reason = f"{type(error).__name__}: {error}"
            warnings.warn(
                f"The joint solve failed ({reason}); scikit-learn's own fits are used.",
                RuntimeWarning,
                stacklevel=2,
            )
            return Attempt(reason, failed=True)
        return Attempt()

    def solved(self, candidates: list[dict[str, Any]]) -> bool:
        """Whether every fold of every candidate can be adopted as it is."""
        return self.bank.complete([candidate_key(params) for params in candidates])

    def say(self, message: str) -> None:
        """Print a message, from verbose=1 on."""
        if self.settings.verbose > 0:
            say(message)

    def _on_device(self, solve: Callable[[], object]) -> None:
        """Run a joint solve, and once more on the CPU if a GPU has not the memory for it."""
        try:
            solve()
            return
        except torch.cuda.OutOfMemoryError as error:
            if self.settings.device == "cpu":
                raise
            reason = str(error).partition(".")[0]
        warnings.warn(
            f"The GPU is out of memory ({reason}): the search continues on the CPU.",
            RuntimeWarning,
            stacklevel=2,
        )
        self.settings = self.factory.settings = replace(self.settings, device="cpu")
        torch.cuda.empty_cache()
        solve()

    def _say_which_folds(self, combination: Combination, used: list[int]) -> None:
        """Say in the plan which folds the joint solver leaves to own fits."""
        left = [str(k) for k in range(len(self.factory.splits)) if k not in used]
        if not left:
            return
        told = f"folds {', '.join(left)}" if len(left) > 1 else f"fold {left[0]}"
        names = [axis.name for axis in combination.all_axes] or list(combination.target.tuned)
        for row in self.space.plan:
            if row["parameter"] in names:
                row["reason"] = (
                    f"own fits are used for {told}: a class or all weight is missing from the "
                    "training rows"
                )


def for_own_fits(folds: list | None) -> list | None:
    """Return folds whose rows are, to the last digit, what own fits would see; None otherwise."""
    return folds if folds is not None and all(fold.exact for fold in folds) else None
