"""What kind of graph a recurrent network's weights are: modular, a small world, short wires.

As in the demonstration that the authors of seRNNs published: the strongest tenth of the weights is
kept, either direction makes an edge, and the graph is compared with random graphs of as many nodes
and edges.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

__all__ = ["Measures", "measure"]

_KEPT = 0.1
_LOUVAIN_RUNS = 10
_NULLS = 30
_SMALL = 1e-2


@dataclass(frozen=True, slots=True)
class Measures:
    """Parameters of one network.

    Parameters
    ----------
    modularity
        Newman's Q of the best of ten Louvain partitions.
    modularity_null
        The same of random graphs, mean.
    communities
        How many that partition has.
    clustering, efficiency
        Mean clustering coefficient, and global efficiency (mean inverse path length).
    small_worldness
        (clustering / that of random graphs) · (efficiency / that of random graphs); a small world
        is above 1.
    distance_correlation
        Spearman's, of weights' sizes with how far apart their units are; below 0: short wires.
    wire_length
        Mean distance over the edges that are kept, relative to the mean of all pairs.
    sparsity
        Share of weights below a hundredth of the largest.
    """

    modularity: float
    modularity_null: float
    communities: int
    clustering: float
    efficiency: float
    small_worldness: float
    distance_correlation: float
    wire_length: float
    sparsity: float

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def measure(weights: NDArray[np.floating], distance: NDArray[np.float64], seed: int) -> Measures:
    """Measure `weights`, (n, n), of units `distance`, (n, n), apart; self-connections do not count.

    Parameters
    ----------
    weights, distance
        From row to column; how far apart.
    seed
        Of the random graphs, and of the order in which Louvain's method visits nodes.
    """
    size = np.abs(weights).astype(np.float64)
    others = ~np.eye(len(size), dtype=bool)
    kept = others & (size > np.quantile(size[others], 1 - _KEPT))
    graph = nx.from_numpy_array(kept | kept.T)
    nulls = [
        nx.gnm_random_graph(graph.number_of_nodes(), graph.number_of_edges(), seed=seed + i)
        for i in range(_NULLS)
    ]
    clustering, efficiency = nx.average_clustering(graph), nx.global_efficiency(graph)
    clustering_null = float(np.mean([nx.average_clustering(g) for g in nulls]))
    efficiency_null = float(np.mean([nx.global_efficiency(g) for g in nulls]))
    modularity, communities = _modularity(graph, seed)
    return Measures(
        modularity=modularity,
        modularity_null=float(np.mean([_modularity(g, seed)[0] for g in nulls[:5]])),
        communities=communities,
        clustering=clustering,
        efficiency=efficiency,
        small_worldness=clustering / clustering_null * efficiency / efficiency_null,
        distance_correlation=_spearman(size[others], distance[others]),
        wire_length=float(distance[kept].mean() / distance[others].mean()),
        sparsity=float((size[others] < _SMALL * size[others].max()).mean()),
    )


def _modularity(graph: nx.Graph, seed: int) -> tuple[float, int]:
    found = [nx.community.louvain_communities(graph, seed=seed + i) for i in range(_LOUVAIN_RUNS)]
    scored = [(nx.community.modularity(graph, parts), len(parts)) for parts in found]
    return max(scored)


def _spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic)
