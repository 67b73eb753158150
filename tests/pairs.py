"""Selections of settings, instead of all combinations.

Settings that are handled separately need each value once; settings that interact need each pair.
Further combinations repeat these tests.
"""

from itertools import combinations, product


def turns(*factors):
    """Return tuples in which each factor takes turns, so that every value of each occurs.

    The first of two factors of the same length is shifted each time the other begins again, so
    that longer runs meet other pairs.
    """
    factors = [list(values) for values in factors]
    most = max(map(len, factors))
    return [
        tuple(
            values[(i + j * (i // len(values))) % len(values)] for j, values in enumerate(factors)
        )
        for i in range(most)
    ]


def pairwise(*factors):
    """Return few tuples in which every pair of values of two factors occurs."""
    factors = [list(values) for values in factors]
    spots = [range(len(values)) for values in factors]
    wanted = {
        (a, i, b, j)
        for a, b in combinations(range(len(factors)), 2)
        for i, j in product(spots[a], spots[b])
    }

    def pairs(row):
        return {(a, row[a], b, row[b]) for a, b in combinations(range(len(row)), 2)}

    chosen, rows = [], list(product(*spots))
    while wanted:
        best = max(rows, key=lambda row: len(pairs(row) & wanted))
        wanted -= pairs(best)
        chosen.append(best)
    return [tuple(values[i] for values, i in zip(factors, row, strict=True)) for row in chosen]
