"""What networks are called by what holds them: a checkpoint's keys, a training program's attributes, wrappers."""

import re
from collections.abc import Collection, Iterable
from itertools import takewhile

# A key of these words alone holds a network: params_ema, params-ema, netG, model_state_dict. The best come first, and
# a moving average before all others: it is what a project evaluates and publishes.
_WORDS = (
    *("params", "param", "state", "dict", "model", "generator", "gen"),
    *("network", "net", "g", "sr", "weights", "online"),
)
_EMA = ("ema", "avg", "averaged")
_VAGUE = ({"state"}, {"dict"}, {"avg"}, {"online"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^A-Za-z_-]")
_LONGEST = 40
_MOST_HOLDERS = 10  # in each other

# Put before names by torch.nn.DataParallel, torch.compile, Lightning and FSDP.
_WRAPPERS = ("module", "_orig_mod", "_forward_module", "_fsdp_wrapped_module")
# What a training program holds beside its network, and saves with it.
_BESIDE = re.compile(r"loss|criteri|percep|vgg|lpips|discriminator|metric|psnr|ssim|^(net|model|network)?_?d(isc)?\d?$")
_COUNTERS = ("n_averaged", "step_counter", "num_updates", "initted", "step", "decay")


def words(key: str) -> frozenset[str]:
    """The words of a key that holds a network; empty for any other."""
    if len(key) > _LONGEST:
        return frozenset()
    found = frozenset(word.lower() for word in _WORD.findall(key))
    return found if found <= {*_WORDS, *_EMA} and found not in _VAGUE else frozenset()


def best_first(keys: Iterable[str]) -> list[str]:
    """Those of `keys` that hold a network."""
    return sorted(filter(words, keys), key=_rank)


def parts(names: Iterable[str]) -> list[str]:
    """What holds a network among what begins the names of a training program's state dict, best first.

    As in `generator_ema.conv.weight`, `generator.conv.weight`, `discriminator.conv.weight`, `step_counter`. Empty where
    the names are those of one network.
    """
    groups: dict[str, set[str]] = {}
    for name in names:
        part, _, rest = name.partition(".")
        groups.setdefault(part, set()).add(rest)
    holders = [part for part, rests in groups.items() if _is_holder(part) and "" not in rests]
    beside = [part for part, rests in groups.items() if part not in holders and _is_beside(part, rests)]
    if len(groups) == 1 or not holders or len(holders) + len(beside) < len(groups):
        return []
    if any(groups[part] != groups[holders[0]] for part in holders):  # two networks, or two parts of one
        return []
    return sorted(holders, key=_rank)


def prefixes(names: Collection[str]) -> list[str]:
    """What all `names` begin with that may be said of the network as a whole: "", "model.", "model.module."."""
    first, last = min(names, default=""), max(names, default="")  # in the alphabet: what they share, all do
    most = _MOST_HOLDERS
    shared = zip(first.split(".", most)[:-1], last.split(".", most)[:-1], strict=False)
    chain = [part for part, _ in takewhile(lambda pair: pair[0] == pair[1] and _is_holder(pair[0]), shared)]
    found = ["".join(f"{part}." for part in chain[:length]) for length in range(len(chain) + 1)]
    return [prefix for prefix in found if prefix != first or not prefix]


def wrappers_prefix(names: Collection[str]) -> str:
    """The longest of `prefixes` that ends in what no network calls anything of its own."""
    return next((prefix for prefix in reversed(prefixes(names)) if _is_wrapper(prefix.rpartition(".")[0])), "")


def _rank(key: str) -> tuple[bool, int]:
    """How good a key that holds a network is; the best is the smallest."""
    found = words(key)
    return found.isdisjoint(_EMA), min((_WORDS.index(word) for word in found if word in _WORDS), default=len(_WORDS))


def _is_holder(part: str) -> bool:
    return part in _WRAPPERS or bool(words(part))


def _is_wrapper(chain: str) -> bool:
    """Of DnCNN's `model`, LaMa's `generator`, GRL's `model_g` it cannot be told."""
    part = chain.rpartition(".")[2]
    found = words(part)
    return part in _WRAPPERS or not found.isdisjoint(_EMA) or found in ({"net", "g"}, {"network", "g"})


def _is_beside(part: str, rests: set[str]) -> bool:
    if rests == {""}:
        return part in _COUNTERS
    return _BESIDE.search(part[:_LONGEST].lower()) is not None
