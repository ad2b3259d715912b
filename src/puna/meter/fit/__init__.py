"""Will a model fit this machine, and how fast will it be: told before it is pulled, with error bars.

anatomy      what of a model decides its memory and its speed, from a GGUF header
description  where that header comes from: a file, a server, a registry
bandwidth    how fast this machine reads memory
room         what fits into which memory
belief       how far measurements are from a model of speed, and how sure that is
predict      tokens per second
experience   this machine's own measurements, from the history
fitting      the whole story: look, measure, predict
answer       all of it, as a table or as JSON
"""
