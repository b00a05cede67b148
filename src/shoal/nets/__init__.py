"""Networks that several systems build on: ResNets of any width, one registry, saving and loading."""

from shoal.nets.blocks import BasicBlock, Bottleneck
from shoal.nets.loading import load_model
from shoal.nets.registry import ModelConfig, create_model, list_models, register_model, unregister_model
from shoal.nets.resnet import ResNet
from shoal.nets.saving import save_model

__all__ = [
    "BasicBlock",
    "Bottleneck",
    "ModelConfig",
    "ResNet",
    "create_model",
    "list_models",
    "load_model",
    "register_model",
    "save_model",
    "unregister_model",
]
