"""sl-BAMM's two published numerical experiments, with its rivals beside it.

Both problems of Liu, Liu, Yao, Zeng, Zhang (ICML 2023, arXiv 2302.03407) have a known solution.
sl-BAMM runs as ``minimize`` does by default and by the published schedule; the rivals are those of
``tests/rivals.py``. The table goes to the terminal, a picture to
``demo_output/published_experiments.png``. It takes half a minute.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import torch
from matplotlib.ticker import LogLocator, NullLocator
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from skbamm.bilevel import minimize
from tests import rivals

N = 100
MOVED = 1e-9  # a rival stops when x moves by less, relative
EXACT = 1e-20  # stands for no error at all on a logarithmic axis
REACHED = 1e-4  # the table has the seconds until x is as near as this
LOOPS = {"steps": 200, "inner_steps": 100, "outer_lr": 0.5}

HEADER = f"""\
Relative distance of x and y from the known solution; n = {N}, float64, one thread.

A rival's iteration has 100 inner steps of the published length, from the last y on (but for
"restarted"). T-RHG goes back through 50 of them; CG and Neumann take 50 linear steps. The outer
step is .5, the longest of .1, .3, .5 and 1 with which all come to rest; the published .01 needs
tens of times as many iterations. "By hand" are 10 inner (and linear) steps of .9 instead.
sl-BAMM "auto" has no lengths to choose. It stops at its own tol of 1e-6, the published schedule
there or after 5,000 iterations, and rivals once x is at rest, or after {LOOPS["steps"]} iterations.
One run each, in wall seconds, less the time in which x was noted down."""


@dataclass
class Experiment:
    """A problem, where to begin, its solution, and the published lengths for it."""

    title: str
    upper: Callable[[Tensor, Tensor], Tensor]
    lower: Callable[[Tensor, Tensor], Tensor]
    x0: Tensor
    y0: Tensor
    x: Tensor
    y: Tensor
    schedule: str
    inner_lr: float
    drawn: bool = True


def full(size: int, value: float) -> Tensor:
    return torch.full((size,), value, dtype=torch.float64)


def strongly_convex(*, random: bool) -> Experiment:
    """``F = y'Ay/2 + (x-1)'D(x-1)/2`` and ``f = y'Ay/2 - x'By``."""
    A = B = D = torch.eye(N, dtype=torch.float64)
    if random:
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(3, N, N, generator=generator, dtype=torch.float64)
        eigenvalues = torch.linspace(0.7, 1.3, N, dtype=torch.float64)
        A, D = (q * eigenvalues @ q.T for q in torch.linalg.qr(noise[:2]).Q)
        B = B + 0.2 * noise[2] / N**0.5
    h = full(N, 1.0)
    x = torch.linalg.solve(B @ torch.linalg.solve(A, B.T) + D, D @ h)
    return Experiment(
        title=f"Strongly convex, {'random' if random else 'identity'} matrices",
        upper=lambda x, y: y @ A @ y / 2 + (x - h) @ D @ (x - h) / 2,
        lower=lambda x, y: y @ A @ y / 2 - x @ B @ y,
        x0=full(N, 2.0),
        y0=full(N, 2.0),
        x=x,
        y=torch.linalg.solve(A, B.T @ x),
        schedule="strongly_convex",
        inner_lr=0.2,
        drawn=random,
    )


def merely_convex() -> Experiment:
    """``F = |x-y2|^2/2 + |y1-1|^2/2`` and ``f = |y1|^2/2 - x'y1``, which does not see y2."""
    return Experiment(
        title="Merely convex, the counter-example",
        upper=lambda x, y: ((x - y[N:]) ** 2).sum() / 2 + ((y[:N] - 1) ** 2).sum() / 2,
        lower=lambda x, y: (y[:N] ** 2).sum() / 2 - x @ y[:N],
        x0=full(N, 0.01),
        y0=full(2 * N, 0.01),
        x=full(N, 1.0),
        y=full(2 * N, 1.0),
        schedule="merely_convex",
        inner_lr=0.1,
    )


@dataclass
class Run:
    """A method on a problem, and its path: x after so many iterations, at so many seconds."""

    experiment: Experiment
    x: Tensor = field(init=False)
    y: Tensor = field(init=False)
    iterations: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    path: list[Tensor] = field(default_factory=list)
    away: float = 0.0  # seconds in these callbacks, which are not the method's
    began: float = field(default_factory=perf_counter)

    def note(self, iteration: int, x: Tensor) -> None:
        """Keep x; what it is worth is found out when nothing is timed any more."""
        now = perf_counter()
        self.iterations.append(iteration)
        self.seconds.append(now - self.began - self.away)
        self.path.append(x.detach().clone())
        self.away += perf_counter() - now

    def rests(self) -> bool:
        """Whether the last step of x was too small to matter."""
        now = perf_counter()
        moved = float((self.path[-1] - self.path[-2]).norm() / self.path[-1].norm())
        self.away += perf_counter() - now
        return moved < MOVED

    @property
    def errors(self) -> list[float]:
        return [distance(x, self.experiment.x) for x in self.path]

    def seconds_until(self, error: float) -> float | None:
        """Return the seconds after which x stayed as near as this."""
        late = [k for k, e in enumerate(self.errors) if not e <= error]
        first = late[-1] + 1 if late else 0
        return self.seconds[first] if first < len(self.seconds) else None


def distance(found: Tensor, solution: Tensor) -> float:
    return float((found - solution).norm() / solution.norm())


def run_ours(experiment: Experiment, max_iter: int | None = None, *, published: bool) -> Run:
    options: dict[str, Any] = {"max_iter": max_iter or 5000}
    if published:
        options["schedule"] = experiment.schedule
    run = Run(experiment)
    result = minimize(
        experiment.upper,
        experiment.lower,
        experiment.x0,
        experiment.y0,
        callback=lambda k, x, _: run.note(k, x),
        **options,
    )
    run.note(result.nit, result.x)
    run.x, run.y = result.x, result.y
    return run


def run_rival(
    experiment: Experiment, max_iter: int | None = None, *, method: Callable, **own: Any
) -> Run:
    options = LOOPS | {"inner_lr": experiment.inner_lr} | own
    if max_iter:
        options["steps"] = max_iter
    run = Run(experiment)
    run.note(0, experiment.x0)

    def callback(k: int, x: Tensor, y: Tensor) -> bool:
        run.note(k + 1, x)
        return run.rests()

    functions = experiment.upper, experiment.lower
    run.x, run.y = method(*functions, experiment.x0, experiment.y0, callback=callback, **options)
    return run


@dataclass
class Method:
    """How to run it, and how it is drawn, if so. The colours are Okabe and Ito's."""

    run: Callable[..., Run]
    own: dict[str, Any]
    style: dict[str, Any] | None = None


def rival(method: Callable, color: str, marker: str, **own: Any) -> Method:
    style = {"color": color, "marker": marker, "lw": 1.2, "ms": 5}
    return Method(run_rival, {"method": method, **own}, style)


BY_HAND = {"inner_steps": 10, "inner_lr": 0.9}
METHODS = {
    'sl-BAMM, "auto"': Method(run_ours, {"published": False}, {"color": "k", "lw": 2.8}),
    "sl-BAMM, published": Method(
        run_ours, {"published": True}, {"color": "k", "lw": 1.8, "ls": (0, (4, 1.5))}
    ),
    "RHG": rival(rivals.reverse_mode, "#0072B2", "o"),
    "T-RHG": rival(rivals.truncated_reverse_mode, "#56B4E9", "s", last=50),
    "BDA": rival(rivals.bda, "#D55E00", "^"),
    "BDA, restarted": rival(rivals.bda, "#E69F00", "v", warm_start=False),
    "implicit, CG": rival(rivals.implicit_cg, "#009E73", "D", linear_steps=50),
    "implicit, Neumann": rival(rivals.implicit_neumann, "#CC79A7", "P", linear_steps=50),
    "BDA, by hand": Method(run_rival, {"method": rivals.bda, **BY_HAND}),
    "CG, by hand": Method(run_rival, {"method": rivals.implicit_cg, "linear_steps": 10, **BY_HAND}),
}


def run_all(experiment: Experiment) -> dict[str, Run]:
    """Run and print every method on a problem."""
    columns = f"{'error of x':>12}{'error of y':>12}{'iterations':>12}{'seconds':>9}"
    print(f"\n{experiment.title}\n  {'method':<20}{columns}{f'to {REACHED:.0e}':>10}")
    runs = {}
    for name, method in METHODS.items():
        # What a first call has to load is nobody's fault.
        method.run(experiment, 2, **method.own)
        run = runs[name] = method.run(experiment, **method.own)
        until = run.seconds_until(REACHED)
        print(
            f"  {name:<20}{distance(run.x, experiment.x):>12.1e}"
            f"{distance(run.y, experiment.y):>12.1e}{run.iterations[-1]:>12}"
            f"{run.seconds[-1]:>9.3f}{'never' if until is None else f'{until:.3f}':>10}",
            flush=True,
        )
    return runs


def draw(axes: Any, runs: dict[str, Run]) -> None:
    """Draw the errors of one problem against iterations and against seconds."""
    drawn = [(name, run) for name, run in runs.items() if METHODS[name].style]
    for ax, clock in zip(axes, ("iterations", "seconds"), strict=True):
        for place, (name, run) in enumerate(drawn):
            ax.plot(
                getattr(run, clock),
                [max(error, EXACT) for error in run.errors],
                label=name,
                drawstyle="steps-post",  # x is what it was until there is another
                # At different places, so that all curves which coincide are seen.
                markevery=(0.02 * place, 0.16),
                **METHODS[name].style,
            )
        ax.set(xscale="log", yscale="log", ylim=(1e-10, 10))
        ax.yaxis.set_major_locator(LogLocator(base=100))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.grid(color="0.92")
        ax.spines[["top", "right"]].set_visible(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--output", type=Path, default=Path("demo_output"), help="folder of the picture"
    )
    folder = parser.parse_args().output
    # Vectors of 100 entries gain nothing from a second thread.
    torch.set_num_threads(1)

    print(HEADER)
    experiments = [strongly_convex(random=False), strongly_convex(random=True), merely_convex()]
    all_runs = [run_all(experiment) for experiment in experiments]
    drawn = [runs for e, runs in zip(experiments, all_runs, strict=True) if e.drawn]

    fig, axes = plt.subplots(2, 2, figsize=(12, 8), sharex="col", sharey=True, layout="constrained")
    for row, runs in zip(axes, drawn, strict=True):
        draw(row, runs)
        experiment = next(iter(runs.values())).experiment
        row[0].set_title(experiment.title, loc="left", fontsize=11)
        row[0].set_ylabel("relative distance of x from the solution")
    axes[1, 0].set(xlabel="iterations (a rival's has 100 inner steps)", xlim=(0.8, None))
    axes[1, 1].set(xlabel="wall seconds, one thread", xlim=(1e-3, None))
    at_rest = "RHG, T-RHG, CG and Neumann\ncome to rest at x = .505"
    axes[1, 1].annotate(
        at_rest, (7e-3, 0.5), (1.2e-3, 2e-2), fontsize=9, va="top", arrowprops={"arrowstyle": "-"}
    )
    handles, names = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside lower center", ncols=4, frameon=False)

    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / "published_experiments.png"
    fig.savefig(picture, dpi=130)
    print(f"\nThe same as a picture: {picture}")


if __name__ == "__main__":
    main()
