"""The command line: parse, call, render.  The only room that imports click, rich and tqdm."""
