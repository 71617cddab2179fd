"""Where the boxes of a layered graph go (after Sugiyama): layers, then their order, then positions."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

Edge = tuple[int, int]
Point = tuple[float, float]

_STOPOVER = 0.3  # space for a slanting edge beside the corner of a box


def layered(
    sizes: Sequence[tuple[float, float]], edges: Sequence[Edge], *, gap: float = 0.22, drop: float = 0.3
) -> tuple[list[Point], list[list[Point]]]:
    """Positions for boxes joined by arrows that all point down; no two boxes overlap.

    Args:
      sizes: width and height of each box.
      edges: pairs of boxes (from, to), without a cycle.
      gap: the minimum distance between neighbours in a layer.
      drop: height left between two layers.

    Returns:
      The centre of each box, and the points that each edge passes, the two centres included. y grows upwards.

    >>> centres, _ = layered([(1.0, 1.0)] * 3, [(0, 2), (1, 2)], gap=1.0, drop=1.0)
    >>> np.round(centres, 3).tolist()
    [[0.5, 0.5], [2.5, 0.5], [1.5, -1.5]]
    """
    layer = _layers(len(sizes), edges)
    routes, layer, links = _with_stopovers(layer, edges)
    widths = np.array([width for width, _ in sizes] + [_STOPOVER] * (len(layer) - len(sizes)))
    rows = _order(layer, links)
    x = _across(rows, links, widths, gap, len(sizes))
    heights = [max((sizes[i][1] for i in row if i < len(sizes)), default=0.0) for row in rows]
    y = [heights[0] / 2]
    for above, below in pairwise(heights):
        y.append(y[-1] - above / 2 - drop - below / 2)
    points = [(float(x[i]), float(y[layer[i]])) for i in range(len(layer))]
    return points[: len(sizes)], [[points[i] for i in route] for route in routes]


def _layers(count: int, edges: Sequence[Edge]) -> list[int]:
    """Each box below all boxes that point to it, but no higher than its uses require."""
    above, below = _neighbours(count, edges)
    layer, ready, waiting = [0] * count, [i for i in range(count) if not above[i]], [len(near) for near in above]
    for i in ready:  # grows during the loop, and ends in an order in which every edge points forward
        for j in below[i]:
            layer[j] = max(layer[j], layer[i] + 1)
            waiting[j] -= 1
            if not waiting[j]:
                ready.append(j)
    if len(ready) < count:
        raise ValueError("the edges form a cycle, and cannot all point down")
    for i in reversed(ready):
        # Moving a box down with its inputs shortens its edges in total, or keeps their length.
        bound = [layer[j] for j in below[i] if below[j]] or [layer[j] for j in below[i]]
        if bound and len(above[i]) <= len(below[i]):
            layer[i] = min(bound) - 1
    for i in ready:
        if not below[i]:
            layer[i] = max((layer[j] + 1 for j in above[i]), default=0)
    top = min(layer, default=0)
    return [at - top for at in layer]


def _with_stopovers(layer: list[int], edges: Sequence[Edge]) -> tuple[list[list[int]], list[int], list[Edge]]:
    """Gives each edge a stopover, an empty box, in every layer that it crosses."""
    layer, routes = list(layer), []
    for start, to in edges:
        stopovers = range(len(layer), len(layer) + layer[to] - layer[start] - 1)
        layer += range(layer[start] + 1, layer[to])
        routes.append([start, *stopovers, to])
    return routes, layer, [link for route in routes for link in pairwise(route)]


def _order(layer: Sequence[int], links: Sequence[Edge], sweeps: int = 24) -> list[list[int]]:
    """The boxes of each layer from left to right: each near the mean of its neighbours, with few crossings."""
    rows: list[list[int]] = [[] for _ in range(max(layer) + 1)]
    for i, at in enumerate(layer):
        rows[at].append(i)
    above, below = _neighbours(len(layer), links)
    best, fewest = rows, _crossings(rows, below)
    for sweep in range(sweeps):
        down = sweep % 2 == 0
        rows = [list(row) for row in rows]
        place = {i: k / max(1, len(row) - 1) if sweep > 1 else k for row in rows for k, i in enumerate(row)}
        for row in rows if down else reversed(rows):
            near = above if down else below
            row.sort(key=lambda i: np.mean([place[j] for j in near[i]]) if near[i] else place[i])
            place.update({i: k for k, i in enumerate(row)})
        if (crossings := _crossings(rows, below)) < fewest:
            best, fewest = rows, crossings
    return best


def _neighbours(count: int, links: Sequence[Edge]) -> tuple[list[list[int]], list[list[int]]]:
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for start, to in links:
        below[start].append(to)
        above[to].append(start)
    return above, below


def _crossings(rows: Sequence[Sequence[int]], below: Sequence[Sequence[int]]) -> int:
    total = 0
    for upper, lower in pairwise(rows):
        place = {i: k for k, i in enumerate(lower)}
        ends = np.array([place[j] for i in upper for j in sorted(below[i], key=place.__getitem__)])
        total += int(np.sum(np.triu(ends[:, None] > ends[None, :])))
    return total


def _across(
    rows: Sequence[Sequence[int]],
    links: Sequence[Edge],
    widths: np.ndarray,
    gap: float,
    num_boxes: int,
    sweeps: int = 60,
) -> np.ndarray:
    """x of each box: as near the mean of its neighbours as order and widths allow."""
    x = np.zeros(len(widths))
    above, below = _neighbours(len(widths), links)
    offsets = []
    for row in rows:
        w = widths[list(row)]
        offsets.append(np.concatenate([[0.0], np.cumsum((w[:-1] + w[1:]) / 2 + gap)]))
        x[list(row)] = offsets[-1] - offsets[-1][-1] / 2
    for sweep in range(sweeps):
        numbered = list(zip(rows, offsets, strict=True))
        for row, offset in numbered if sweep % 2 == 0 else reversed(numbered):
            near = [(above[i] + below[i]) or [i] for i in row]
            wanted = np.array([np.mean([x[j] for j in neighbours]) for neighbours in near])
            # A bend in a long edge is uglier than a box off its centre.
            weight = np.array([1.0 if i < num_boxes else 4.0 for i in row])
            x[list(row)] = _nondecreasing(wanted - offset, weight) + offset
    return x - np.min(x[:num_boxes] - widths[:num_boxes] / 2)


def _nondecreasing(wanted: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The nondecreasing numbers nearest to those wanted (least squares): neighbours out of order share their mean."""
    blocks: list[tuple[float, float, int]] = []
    for value, w in zip(wanted.tolist(), weight.tolist(), strict=True):
        block = (value, w, 1)
        while blocks and blocks[-1][0] > block[0]:
            mean, total, count = blocks.pop()
            joint = total + block[1]
            block = ((mean * total + block[0] * block[1]) / joint, joint, count + block[2])
        blocks.append(block)
    return np.repeat([mean for mean, _, _ in blocks], [count for _, _, count in blocks])
