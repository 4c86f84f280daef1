"""A sparse autoencoder with top-k activations, trained on the representations of one layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from .massive import warn_of_dead_concepts
from .sparse_autoencoder import TrainedEncoder, keep_largest

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray
_STEPS = 2000  # of "auto"
_AUXILIARY = 1 / 32  # weight of the loss of dead concepts; Gao et al. 2024, appendix A.2
_DECAY = 0.2  # share of the steps, the last ones, in which the learning rate falls to 0
_REVIVAL = (
    0.3  # share of the steps, the first ones, in which dead concepts are moved; later it costs more than it gains
)
_PATIENCE = 50  # steps without use, at least, after which a concept is dead; an epoch where that is longer
_SMALL = 50_000_000  # products per step, below which a second thread only waits, and burns CPU on a busy machine
_SAMPLES = 2048  # whose residuals dead concepts are moved to


class TopKSAE(TrainedEncoder):
    """A sparse autoencoder that lets each sample use at most k concepts; there may be more concepts than samples.

    The loss is ‖x − x̂‖² alone: top-k replaces the sparsity penalty. Concepts that no sample uses learn the residual of
    the others (the auxiliary loss), and after an epoch without use (at least 50 steps) they are moved to the residual of a
    sample.

    Parameters
    ----------
    n_components
        Number of concepts.
    k
        Largest number of concepts that a sample uses.
    n_epochs
        Number of passes over the samples; ``"auto"``: as many as make 2,000 steps.
    batch_size
        Number of samples per step.
    learning_rate
        Of Adam.
    device
        Where torch trains: ``"cpu"``, ``"cuda"`` …; the result does not depend on the number of threads of a CPU.
    random_state
        Seed of every random choice: an int, a ``RandomState``, or None.

    Attributes
    ----------
    components_ : (n_components, n_features)
        The concepts, of length 1; the one of largest total activation first.
    intercept_ : (n_features,)
        Offset of the decoder.
    loss_ : (n_steps,)
        Share of the squared norm about the mean that is not reconstructed, per step, no unit.
    n_dead_ : int
        Number of concepts that no training sample uses.

    References
    ----------
    Gao et al., "Scaling and evaluating sparse autoencoders", 2024, arXiv 2406.04093, sections 2.3 and 2.4 and appendix
    A.2; Makhzani and Frey, "k-Sparse Autoencoders", 2013, arXiv 1312.5663. Moving dead concepts: Bricken et al., "Towards
    Monosemanticity", 2023.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(30, 8))
    >>> V = TopKSAE(40, k=3, n_epochs=5, random_state=0).fit_transform(X)
    >>> V.shape, bool(((V > 0).sum(1) <= 3).all())
    ((30, 40), True)
    """

    def __init__(
        self,
        n_components: int = 512,
        *,
        k: int = 16,
        n_epochs: int | str = "auto",
        batch_size: int = 256,
        learning_rate: float = 3e-3,
        device: str = "cpu",
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.k = k
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> TopKSAE:
        """Train the autoencoder on X.

        Parameters
        ----------
        X : (n_samples, n_features)
            Representations.
        y
            Ignored; scikit-learn's convention.

        Returns
        -------
        TopKSAE
            The fitted estimator itself.
        """
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        self._check()
        rng = check_random_state(self.random_state)
        mean = X.mean(0, dtype=np.float64)
        scale = float(np.sqrt(np.square(X - mean).sum(1).mean())) or 1.0
        training = _Training(((X - mean) / scale).astype(np.float32), self, rng)
        W, bias, D, offset = training.run()
        self.loss_ = np.array(training.losses)
        self.encoder_, self.encoder_bias_, self.components_ = (a.astype(X.dtype) for a in (W, scale * bias, D))
        self.intercept_ = (mean + scale * offset).astype(X.dtype)
        self.centre_ = self.intercept_
        V = self.transform(X)
        order = np.argsort(-V.sum(0), kind="stable")
        self.encoder_, self.encoder_bias_ = np.ascontiguousarray(self.encoder_[:, order]), self.encoder_bias_[order]
        self.components_ = self.components_[order]
        self.n_dead_ = int((V.max(0) <= 0).sum())
        if self.n_components <= len(X):  # more of them cannot all be used
            warn_of_dead_concepts(self.n_dead_, self.n_components, "Use fewer concepts, or more epochs.", stacklevel=3)
        return self

    def _check(self) -> None:
        for name in ("n_components", "k", "batch_size"):
            value = getattr(self, name)
            if not (isinstance(value, int | np.integer) and value >= 1):
                raise ValueError(f"{name} is {value!r}; expected a whole number of at least 1.")
        if self.n_epochs != "auto" and not (isinstance(self.n_epochs, int | np.integer) and self.n_epochs >= 1):
            raise ValueError(f"n_epochs is {self.n_epochs!r}; expected a whole number of at least 1, or 'auto'.")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate is {self.learning_rate!r}; expected a number above 0.")

    def _activate(self, values: Array) -> Array:
        return keep_largest(np.maximum(values, 0), self.k)


class _Training:
    """Adam on the weights of a top-k autoencoder; X (n, d) is centred and of mean squared norm 1."""

    def __init__(self, X: Array, settings: TopKSAE, rng: np.random.RandomState) -> None:
        import torch

        self.torch, self.settings, self.rng = torch, settings, rng
        self.device = torch.device(settings.device)
        self.X = torch.from_numpy(np.ascontiguousarray(X))
        self.k = min(settings.k, settings.n_components)
        n_batches = -(-len(X) // settings.batch_size)
        epochs = -(-_STEPS // n_batches) if settings.n_epochs == "auto" else int(settings.n_epochs)
        self.n_epochs, self.n_steps = epochs, epochs * n_batches
        D = self._start(X)
        shapes = (D.T.copy(), np.zeros(len(D)), D, np.zeros(X.shape[1]))
        self.weights = [torch.tensor(a, dtype=torch.float32, device=self.device, requires_grad=True) for a in shapes]
        self.adam = torch.optim.Adam(self.weights, lr=settings.learning_rate)
        self.unused = torch.zeros(len(D), dtype=torch.long, device=self.device)  # steps since a sample used the concept
        self.patience = max(n_batches, _PATIENCE)
        self.losses: list[float] = []

    def _start(self, X: Array) -> Array:
        """First concepts (n_components, d): directions of samples, and random ones mixed in."""
        rows = X[self.rng.permutation(len(X))[np.arange(self.settings.n_components) % len(X)]]
        noise = self.rng.normal(size=rows.shape) / np.sqrt(X.shape[1])
        D = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30) + noise
        return D / np.linalg.norm(D, axis=1, keepdims=True)

    def run(self) -> tuple[Array, ...]:
        """Train; the encoder (d, K) and its bias (K,), the decoder (K, d) and its offset (d,)."""
        size = self.settings.batch_size
        small = min(size, len(self.X)) * self.weights[2].numel() < _SMALL and self.device.type == "cpu"
        with self._one_thread() if small else nullcontext(), self.torch.enable_grad():
            for _ in range(self.n_epochs):
                order = self.rng.permutation(len(self.X))
                for start in range(0, len(order), size):
                    self._step(self.X[self.torch.from_numpy(order[start : start + size])].to(self.device))
                    done = len(self.losses)
                    if done < _REVIVAL * self.n_steps and done % self.patience == 0:
                        self._revive()
        return tuple(w.detach().cpu().double().numpy() for w in self.weights)

    @contextmanager
    def _one_thread(self) -> Iterator[None]:
        """Run the block on one thread; restore the caller's setting after it."""
        threads = self.torch.get_num_threads()
        try:
            self.torch.set_num_threads(1)
            yield
        finally:
            self.torch.set_num_threads(threads)

    def _encode(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Values before the activation (n, K); the k largest, at least 0, and their concepts (n, k)."""
        W, bias, _, offset = self.weights
        values = (x - offset) @ W + bias
        largest, concepts = values.topk(self.k, dim=1)
        return values, largest.relu(), concepts

    def _decode(self, activations: Tensor, concepts: Tensor) -> Tensor:
        bag = self.torch.nn.functional.embedding_bag
        return bag(concepts, self.weights[2], per_sample_weights=activations, mode="sum")

    def _step(self, x: Tensor) -> None:
        done = len(self.losses) / self.n_steps
        for group in self.adam.param_groups:
            group["lr"] = self.settings.learning_rate * min(1.0, (1 - done) / _DECAY)
        values, activations, concepts = self._encode(x)
        residual = x - self._decode(activations, concepts) - self.weights[3]
        loss = residual.square().sum(1).mean()
        self.unused += 1
        self.unused[concepts[activations > 0]] = 0
        auxiliary = self._auxiliary_loss(values, residual.detach())
        self.adam.zero_grad()
        (loss + _AUXILIARY * auxiliary).backward()
        D = self.weights[2]
        if D.grad is not None:  # what only changes the length of a concept is no progress
            D.grad -= (D.grad * D.detach()).sum(1, keepdim=True) * D.detach()
        self.adam.step()
        with self.torch.no_grad():
            D /= D.norm(dim=1, keepdim=True).clamp_min(1e-12)
        self.losses.append(float(loss.detach()))

    def _auxiliary_loss(self, values: Tensor, residual: Tensor) -> Tensor:
        """Share of the residual that the dead concepts leave."""
        dead = self.torch.nonzero(self.unused > self.patience)[:, 0]
        n = min(len(dead), max(1, residual.shape[1] // 2))
        if not n:
            return values.new_zeros(())
        largest, index = values[:, dead].topk(n, dim=1)
        rest = residual - self._decode(largest.relu(), dead[index])
        return rest.square().sum(1).mean() / residual.square().sum(1).mean().clamp_min(1e-12)

    def _revive(self) -> None:
        """Move the concepts that no sample used for an epoch to residuals, drawn by their squared norm."""
        dead = self.torch.nonzero(self.unused >= self.patience)[:, 0]
        n = min(len(dead), len(self.X))
        if not n:
            return
        W, bias, D, offset = self.weights
        some = self.rng.permutation(len(self.X))[:_SAMPLES]
        with self.torch.no_grad():
            rows = self.X[self.torch.from_numpy(some)].to(self.device)
            _, activations, concepts = self._encode(rows)
            residual = rows - self._decode(activations, concepts) - offset
            weight = residual.square().sum(1).cpu().double().numpy()
            if not weight.sum() > 1e-9:
                return
            drawn = self.torch.from_numpy(self.rng.choice(len(rows), n, p=weight / weight.sum()))
            new, moved = residual[drawn.to(self.device)], dead[:n]
            D[moved] = new / new.norm(dim=1, keepdim=True).clamp_min(1e-12)
            W[:, moved], bias[moved] = D[moved].T, 0
            self.unused[moved] = 0
            for weights, place in ((W, (slice(None), moved)), (bias, moved), (D, moved)):
                for name in ("exp_avg", "exp_avg_sq"):  # Adam's moments are of the concept that was there
                    self.adam.state[weights][name][place] = 0
