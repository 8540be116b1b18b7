"""One module for each client: compressed messages in both directions, as its users would do it.

Each has ``VERSION`` and two functions, which connect with the client's own default of compression
(but for what `Settings` says), start the stopwatch, do the work and stop it with the last message:

- ``receive(url, count, stopwatch, settings)``: send "go", receive `count` messages as `str`, add up
  their lengths; return how many came, the sum and the last one.
- ``send(url, messages, stopwatch, settings)``: send them, then a Ping with the marker, await the
  server's text; return it.

Callback clients work in callbacks, the others in a loop.
"""
