"""API keys: made, kept as digests, and recognised again. Who must send one, and where, is the API's business."""

from puna.keys.key import ANYBODY, EVERY_RIGHT, Caller, Key, Right, checked_rights
from puna.keys.keyfile import KeyFile
from puna.keys.keyring import Keyring

__all__ = ["ANYBODY", "EVERY_RIGHT", "Caller", "Key", "KeyFile", "Keyring", "Right", "checked_rights"]
