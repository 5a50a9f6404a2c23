"""Scenes: named search behaviours, read from YAML and compiled once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product as combinations
from math import prod
from types import MappingProxyType
from typing import Any

from crosslens.errors import CrosslensError, InvalidRequest, NotFound
from crosslens.search import plan as plans
from crosslens.search.experiments import BUCKETS, Experiment, Layer, assign
from crosslens.search.marked import Marked, leaves, overlaid
from crosslens.search.plan import Probe
from crosslens.search.queries import LANGUAGES, QueryRules, checked_synonyms
from crosslens.search.request import MAX_LIMIT, Fusion
from crosslens.values import AttributeType, Kind
from crosslens.vectors import filters
from crosslens.vectors.filters import Filter

SECTIONS = ("query", "match", "rank", "summary")
PROBES: Mapping[str, Probe] = MappingProxyType(
    {
        probe.name: probe
        for probe in (
            plans.TEXT2TEXT,
            plans.TEXT2IMAGE,
            plans.IMAGE2IMAGE,
            plans.IMAGE2TEXT,
            plans.COMPOSED,
            plans.KEYWORD,
        )
    }
)
FIELDS = ("title", "description", "source_key")
ATTRIBUTE = "attributes."
DIVERSITY = ("picture", "title")
MOST_VARIANTS = 2_048
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class MatchRules:
    """
    What is looked for where.

    Attributes:
        kind: of the search, where the question names none.
        probes: probe → weight, instead of those of the kind; those that the question lacks words
            or pictures for are left out.
        candidates: how many each probe is asked for at least.
        where: only these products, whatever the question says.
    """

    kind: Kind = Kind.AUTO
    probes: tuple[Probe, ...] = ()
    alpha: float | None = None
    candidates: int = plans.FUSED_DEPTH
    where: Filter | None = None


@dataclass(frozen=True, slots=True)
class Boost:
    """Products that fit count so many times."""

    where: Filter
    times: float


@dataclass(frozen=True, slots=True)
class RankRules:
    """
    In which order products are shown.

    Attributes:
        reranker: name of one, empty for none.
        depth: how many of the best are ranked again.
        diversity: 0 is by score alone, 1 by difference alone (maximal marginal relevance).
        by: what products must differ in: picture or title.
        group: attribute of which at most `most` products of one value are shown.
        least: probability of relevance below which a product is not shown.
    """

    fusion: Fusion = Fusion.RRF
    reranker: str = ""
    depth: int = 50
    diversity: float = 0.0
    by: str = "picture"
    boosts: tuple[Boost, ...] = ()
    group: str = ""
    most: int = 1
    least: float = 0.0


@dataclass(frozen=True, slots=True)
class SummaryRules:
    """
    What is told of a product.

    Attributes:
        fields: name → title, description, source_key or attributes.NAME.
        plain: take HTML out of texts.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A scene as one user gets it: all overlays laid, everything checked."""

    query: QueryRules = field(default_factory=QueryRules)
    match: MatchRules = field(default_factory=MatchRules)
    rank: RankRules = field(default_factory=RankRules)
    summary: SummaryRules = field(default_factory=SummaryRules)


@dataclass(frozen=True, slots=True)
class Chosen:
    """
    What a question is answered by.

    Attributes:
        experiments: layer → experiment.
        rivals: the two behaviours whose rankings are mixed, with the names of their experiments;
            empty without interleaving.
    """

    behaviour: Behaviour
    experiments: Mapping[str, str]
    rivals: tuple[tuple[str, Behaviour], ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """
    A named behaviour and its experiments.

    Attributes:
        variants: experiments, one per layer in order → the behaviour that they make together.
    """

    name: str
    layers: tuple[Layer, ...]
    variants: Mapping[tuple[str, ...], Behaviour]

    def choose(self, user: str, forced: Mapping[str, str] | None = None) -> Chosen:
        """
        Return the behaviour of a user.

        Raises:
            InvalidRequest: a layer or experiment is forced that there is not.
        """
        if not self.layers and not forced:
            return Chosen(self.variants[()], {})
        chosen = assign(self.layers, user, forced)
        key = tuple(each.name for each in chosen.values())
        mixed = next((n for n, each in enumerate(chosen.values()) if each.interleaves), None)
        rivals: tuple[tuple[str, Behaviour], ...] = ()
        if mixed is not None:
            names = list(chosen.values())[mixed].interleaves
            rivals = tuple(
                (name, self.variants[(*key[:mixed], name, *key[mixed + 1 :])]) for name in names
            )
        told = {layer: each.name for layer, each in chosen.items()}
        return Chosen(self.variants[key], told, rivals)


@dataclass(frozen=True, slots=True)
class Scenes:
    """All scenes of a service."""

    scenes: Mapping[str, Scene]

    def get(self, name: str) -> Scene:
        """
        Return a scene.

        Raises:
            NotFound: there is none of this name.
        """
        try:
            return self.scenes[name]
        except KeyError as exc:
            known = ", ".join(sorted(self.scenes)) or "none"
            raise NotFound(f"there is no scene {name!r}, there are: {known}") from exc


@dataclass(frozen=True, slots=True)
class Known:
    """
    What scenes may speak of.

    Attributes:
        rerankers: their names.
        types: filterable attributes; None leaves filters unchecked.
        others: what looks like a reranker and is none: name → why.
        load: makes a reranker ready before the file counts; raises CrosslensError if it cannot.
    """

    rerankers: Sequence[str] = ()
    types: Mapping[str, AttributeType] | None = None
    others: Mapping[str, str] = field(default_factory=dict)
    load: Callable[[str], None] = lambda name: None


def compiled(*files: Marked, known: Known | None = None) -> Scenes:
    """
    Compile files; a scene of a later one replaces one of the same name.

    Raises:
        InvalidRequest: something is wrong; the message begins with file and line.
    """
    found: dict[str, Scene] = {}
    for file in files:
        scenes = file.table(["scenes"]).get("scenes")
        for name, told in (scenes.table() if scenes is not None else {}).items():
            found[name] = _scene(_checked_name(name, told), told, known or Known())
    return Scenes(MappingProxyType(found))


def _scene(name: str, told: Marked, known: Known) -> Scene:
    table = told.table((*SECTIONS, "layers"))
    base = _sections(told)
    layers = [_layer(name, each) for each in (table["layers"].items() if "layers" in table else ())]
    _require_apart(layers)
    count = prod(len(layer.experiments) for layer, _ in layers)
    if count > MOST_VARIANTS:
        told.wrong(f"has {count} combinations of experiments, at most {MOST_VARIANTS} are allowed")
    variants = {}
    for key in combinations(*([each.name for each in layer.experiments] for layer, _ in layers)):
        value = base
        for (_, settings), experiment in zip(layers, key, strict=True):
            value = overlaid(value, settings[experiment])
        variants[key] = _behaviour(value, known)
    return Scene(name, tuple(layer for layer, _ in layers), MappingProxyType(variants))


def _layer(scene: str, told: Marked) -> tuple[Layer, dict[str, Marked]]:
    """Read a layer, and per experiment what it and its layer set."""
    table = told.table((*SECTIONS, "name", "salt", "bucket", "experiments"))
    if "name" not in table or "experiments" not in table:
        told.wrong("needs a name and experiments")
    name = _checked_name(table["name"].text(), table["name"])
    settings: dict[str, Marked] = {}
    experiments: list[Experiment] = []
    for each in table["experiments"].items():
        experiment = _experiment(each)
        if experiment.name in settings:
            each.wrong(f"is called {experiment.name}, which is taken")
        settings[experiment.name] = overlaid(_sections(told), _sections(each))
        experiments.append(experiment)
    if not experiments or sum(each.ratio for each in experiments) <= 0:
        table["experiments"].wrong("needs one experiment with a ratio above 0")
    _check_rivals(table["experiments"], experiments)
    salt = table["salt"].text(most=LONGEST_NAME) if "salt" in table else f"{scene}/{name}"
    kind = table["bucket"].one_of(BUCKETS) if "bucket" in table else BUCKETS[0]
    return Layer(name, salt, kind, tuple(experiments)), settings


def _experiment(told: Marked) -> Experiment:
    table = told.table((*SECTIONS, "name", "ratio", "interleave"))
    if "name" not in table or "ratio" not in table:
        told.wrong("needs a name and a ratio")
    name = _checked_name(table["name"].text(), table["name"])
    rivals: tuple[str, str] | tuple[()] = ()
    if "interleave" in table:
        names = [each.text() for each in table["interleave"].items()]
        if len(names) != 2 or name in names:
            table["interleave"].wrong("names the two other experiments to mix")
        rivals = (names[0], names[1])
    return Experiment(name, table["ratio"].number(0, 1e6), rivals)


def _check_rivals(told: Marked, experiments: Sequence[Experiment]) -> None:
    plain = {each.name for each in experiments if not each.interleaves}
    for each in experiments:
        if missing := set(each.interleaves) - plain:
            told.wrong(f"has no experiment {min(missing)!r} that {each.name} could mix")


def _require_apart(layers: Sequence[tuple[Layer, Mapping[str, Marked]]]) -> None:
    """Check that no two layers set the same thing: then they would not be independent."""
    owner: dict[tuple[str, ...], str] = {}
    for layer, settings in layers:
        if layer.name in owner.values():
            next(iter(settings.values())).wrong(f"stands in a second layer called {layer.name}")
        own = {path: value for each in settings.values() for path, value in leaves(each)}
        for path, value in own.items():
            other = owner.setdefault(path, layer.name)
            if other != layer.name:
                value.wrong(f"is set by layer {other} too; a setting belongs to one layer")


def _sections(told: Marked) -> Marked:
    kept = {name: value for name, value in told.table().items() if name in SECTIONS}
    return Marked(kept, told.source, told.line, told.path)


def _behaviour(told: Marked, known: Known) -> Behaviour:
    table = told.table(SECTIONS)
    empty = Marked({}, told.source, told.line, told.path)
    return Behaviour(
        _query(table.get("query", empty)),
        _match(table.get("match", empty), known),
        _rank(table.get("rank", empty), known),
        _summary(table.get("summary", empty)),
    )


def _query(told: Marked) -> QueryRules:
    return QueryRules(
        **_read(
            told,
            {
                "normalise": Marked.truth,
                "language": lambda each: each.one_of(LANGUAGES),
                "sizes": Marked.truth,
                "synonyms": _synonyms,
                "prefix": _prefix,
            },
        )
    )


def _match(told: Marked, known: Known) -> MatchRules:
    return MatchRules(
        **_read(
            told,
            {
                "kind": lambda each: Kind(each.one_of([*Kind])),
                "probes": _probes,
                "alpha": lambda each: each.number(0, 1),
                "candidates": lambda each: each.whole(1, MAX_LIMIT),
                "filter": lambda each: _filter(each, known),
            },
            where="filter",
        )
    )


def _rank(told: Marked, known: Known) -> RankRules:
    return RankRules(
        **_read(
            told,
            {
                "fusion": lambda each: Fusion(each.one_of([*Fusion])),
                "reranker": lambda each: _reranker(each, known),
                "depth": lambda each: each.whole(1, MAX_LIMIT),
                "diversity": lambda each: each.number(0, 1),
                "by": lambda each: each.one_of(DIVERSITY),
                "boosts": lambda each: tuple(_boost(boost, known) for boost in each.items()),
                "group": lambda each: each.text(most=LONGEST_NAME),
                "most": lambda each: each.whole(1, MAX_LIMIT),
                "least": lambda each: each.number(0, 1),
            },
        )
    )


def _reranker(told: Marked, known: Known) -> str:
    why = known.others.get(str(told.value))
    if why is not None:
        told.wrong(f"is {told.value!r}, {why}")
    name = told.one_of(["", *known.rerankers])
    try:
        if name:
            known.load(name)
    except CrosslensError as exc:
        told.wrong(f"is {name!r}, which cannot be used: {exc.message}", hint=exc.hint)
    return name


def _summary(told: Marked) -> SummaryRules:
    return SummaryRules(**_read(told, {"fields": _fields, "plain": Marked.truth}))


def _read(
    told: Marked, readers: Mapping[str, Callable[[Marked], Any]], **called: str
) -> dict[str, Any]:
    """Read a table; `called` says which value has another name in the code."""
    names = {name: code for code, name in called.items()}
    table = told.table(list(readers))
    return {names.get(name, name): readers[name](value) for name, value in table.items()}


def _synonyms(told: Marked) -> tuple[tuple[str, ...], ...]:
    groups = [[word.text(most=LONGEST_NAME) for word in group.items()] for group in told.items()]
    try:
        return checked_synonyms(groups)
    except ValueError as exc:
        told.wrong(f"is not right: {exc}")


def _prefix(told: Marked) -> dict[str, str]:
    if isinstance(told.value, str):
        return dict.fromkeys(LANGUAGES[1:], told.value)
    return {name: each.text(most=1_000) for name, each in told.table(LANGUAGES[1:]).items()}


def _probes(told: Marked) -> tuple[Probe, ...]:
    table = told.table(list(PROBES))
    weights = {name: each.number(0, 1e6) for name, each in table.items()}
    if not any(weights.values()):
        told.wrong("needs one probe with a weight above 0")
    total = sum(weights.values())
    chosen = ((PROBES[name], weight / total) for name, weight in weights.items() if weight)
    return tuple(Probe(p.name, p.purpose, p.modality, weight) for p, weight in chosen)


def _filter(told: Marked, known: Known) -> Filter:
    try:
        where = filters.parse(told.text())
        return where if known.types is None else filters.check(where, known.types)
    except InvalidRequest as exc:
        told.wrong(f"cannot be read: {exc.message}")


def _boost(told: Marked, known: Known) -> Boost:
    table = told.table(["where", "times"])
    if len(table) != 2:
        told.wrong("needs where and times")
    return Boost(_filter(table["where"], known), table["times"].number(0, 1_000))


def _fields(told: Marked) -> dict[str, str]:
    if isinstance(told.value, list):
        return {_field(each).removeprefix(ATTRIBUTE): each.text() for each in told.items()}
    return {name: _field(each) for name, each in told.table().items()}


def _field(told: Marked) -> str:
    name = told.text(most=LONGEST_NAME + len(ATTRIBUTE))
    if name not in FIELDS and not (name.startswith(ATTRIBUTE) and name != ATTRIBUTE):
        told.wrong(f"is {name!r}, allowed are {', '.join(FIELDS)} and {ATTRIBUTE}NAME")
    return name


def _checked_name(name: str, told: Marked) -> str:
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        told.wrong(f"is called {name[:20]!r}; a name has 1 to {LONGEST_NAME} printable characters")
    return name
