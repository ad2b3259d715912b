"""The help texts of the session."""

from __future__ import annotations

COMMANDS = '''Available Commands:
  /set            Set session variables
  /show           Show model information
  /load <model>   Talk to another model
  /save <model>   Store this session as a model
  /list [prefix]  List the models that are here
  /clear          Forget the conversation
  /bye            Leave
  /?, /help       Help for a command
  /? shortcuts    Help for keyboard shortcuts

Use """ to begin a message of several lines.
Use /path/to/file to include .jpg, .png, .webp or .wav files.
'''

SET = """Available Commands:
  /set parameter ...     Set a parameter
  /set system <string>   Set system message
  /set history           Remember typed lines
  /set nohistory         Do not remember typed lines
  /set wordwrap          Wrap words at the end of the line
  /set nowordwrap        Do not wrap words
  /set format json       Answers in JSON
  /set noformat          Answers in any form
  /set verbose           Show the timings of each answer
  /set quiet             Show no timings
  /set think [level]     Let the model think
  /set nothink           Let the model answer at once
"""

PARAMETERS = """Available Parameters:
  /set parameter seed <int>             Random number seed
  /set parameter num_predict <int>      Most tokens of an answer
  /set parameter top_k <int>            Choose from so many tokens
  /set parameter top_p <float>          Choose from tokens of this total probability
  /set parameter min_p <float>          Choose from tokens of this probability, relative to the best
  /set parameter num_ctx <int>          Context size in tokens
  /set parameter temperature <float>    Higher = more varied answers
  /set parameter repeat_penalty <float> How strongly repetitions are avoided
  /set parameter repeat_last_n <int>    How far back repetitions are looked for
  /set parameter num_gpu <int>          Layers on the GPU
  /set parameter stop <string> ...      Texts that end an answer
"""

SHOW = """Available Commands:
  /show info         Show what the model is made of
  /show license      Show its licence
  /show modelfile    Show its Modelfile
  /show parameters   Show its parameters and yours
  /show system       Show the system message
  /show template     Show the prompt template
"""

SHORTCUTS = """Available keyboard shortcuts:
  Ctrl + a            Move to the beginning of the line (Home)
  Ctrl + e            Move to the end of the line (End)
   Alt + b            Move back one word
   Alt + f            Move forward one word
  Ctrl + k            Delete what is after the cursor
  Ctrl + u            Delete what is before the cursor
  Ctrl + w            Delete the word before the cursor
  Ctrl + p, Ctrl + n  The line before, the line after (Up, Down)
  Ctrl + j            A new line without sending
  Ctrl + g            Write the message in your editor
  Ctrl + l            Clear the screen
  Ctrl + c            Stop the answer
  Ctrl + d            Leave (/bye)
"""

TOPICS = {"set": SET, "/set": SET, "show": SHOW, "/show": SHOW, "shortcut": SHORTCUTS, "shortcuts": SHORTCUTS}


def help_text(words: list[str]) -> str:
    """The text for `/help [topic]`."""
    return TOPICS.get(words[0], COMMANDS) if words else COMMANDS
