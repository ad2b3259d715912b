"""Recipes for models: reading and writing Modelfiles, and making models from them."""

from puna.modelfile.create import create_model, missing_base
from puna.modelfile.gather import Gathered, gather, read_modelfile, request_from_modelfile, request_from_path
from puna.modelfile.parameters import Parameters, ParameterValue, parse_parameter, parse_parameters
from puna.modelfile.parser import Modelfile, PresetMessage, parse_modelfile
from puna.modelfile.render import modelfile_text, parameters_text
from puna.modelfile.request import CreateRequest

__all__ = [
    "CreateRequest",
    "Gathered",
    "Modelfile",
    "ParameterValue",
    "Parameters",
    "PresetMessage",
    "create_model",
    "gather",
    "missing_base",
    "modelfile_text",
    "parameters_text",
    "parse_modelfile",
    "parse_parameter",
    "parse_parameters",
    "read_modelfile",
    "request_from_modelfile",
    "request_from_path",
]
