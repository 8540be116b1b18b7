"""One module for each client: the works of the benchmarks, as the client's users would do them.

A module has ``VERSION``, ``LOADING`` (how its users import it) and a function for each work that it
can do. Each takes a `Task`, connects, calls ``task.start()``, does the work, calls ``task.stop()``
with the last message, and returns what `Task.check` looks at:

- ``echo``: send ``task.payload`` and receive its echo, ``count`` times; return the last echo
- ``receive``: send "go", receive ``count`` messages, add up their lengths; return how many came,
  the sum, and the last one
- ``paced``: send "go"; each message is the time of its sending, and ``task.delays`` gets the
  difference to now
- ``stream``: send "go", receive one message in chunks; return the sum of their lengths
- ``send``: send each of ``task.messages`` by a call of its own; return the server's answer
- ``send_many``: the same with one call for all
- ``send_corked``: the same from a handler: ``batch`` of them whenever the server says "go"
- ``send_fragments``: one message from ``task.pieces()``
- ``connect``: open and close a connection ``count`` times, after one that is not counted
- ``idle``: open ``count`` connections, exchange messages on each, ``task.weigh()``,
  ``task.leave()``

With ``task.crowd`` so many connections opened with ``task.idle`` stay beside the one that receives,
and with ``task.flooded`` one opened with ``task.flood`` receives whatever comes, on the same thread
or loop where the client can have several there.

A client with callbacks works in callbacks, the others in a loop. ``raise Unsupported`` says what a
client cannot do.
"""
