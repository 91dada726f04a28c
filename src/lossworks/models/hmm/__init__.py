"""Hidden Markov language models: trained by EM or by gradients, from sixteen states to thousands."""

from .chain import Chain, random_chain
from .em import BaumWelch
from .model import HmmModel, load_model
from .network import HmmNetwork
from .spec import HmmSpec

__all__ = ["BaumWelch", "Chain", "HmmModel", "HmmNetwork", "HmmSpec", "load_model", "random_chain"]
