"""Tiny models in directories as Hugging Face's, and no network."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked for, nothing is fetched."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(scope="package")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A directory of each kind; tests leave them as they are."""
    from models.hf import hf_files

    return {kind: make(tmp_path_factory.mktemp(kind)) for kind, make in hf_files.KINDS.items()}
