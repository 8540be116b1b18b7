"""Scripts → a real server on this machine that plays one for each connection."""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable
from types import TracebackType

from tieline.testing.listening import listen, url_of
from tieline.testing.scripted_peer import ScriptCancelled, ScriptedPeer
from tieline.transport.wakeup import Wakeup

Script = Callable[[ScriptedPeer], object]

#: Seconds that scripts have to come to their end once the server is being closed.
_GRACE = 1.0


class ScriptedServer:
    """Plays the first script for the first connection, the second for the second, and so on.

    Each runs on a thread of its own and gets a `ScriptedPeer`, the server's end of a connection.
    What it does is up to the script, also what no server should do: wrong answers, broken frames,
    bytes that trickle, silence, resets. When the script returns, its connection is closed.

    It listens once it is made, until `close`, or to the end of its `with` block. An error of a
    script, and a connection for which there is none, is raised there.

    `repeat`: play the last script for all further connections. `path`: a unix socket instead of
    `host` and `port`. `timeout` in seconds bounds each single wait of a script. `receive_buffer`
    in bytes makes the kernel hold little of what a script does not read.
    """

    def __init__(
        self,
        *scripts: Script,
        host: str = "127.0.0.1",
        port: int = 0,
        path: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        timeout: float = 5.0,
        repeat: bool = False,
        receive_buffer: int | None = None,
    ) -> None:
        if not scripts:
            raise ValueError("expected at least one script")
        self._scripts = scripts
        self._ssl_context = ssl_context
        self._timeout = timeout
        self._repeat = repeat
        self._listener = listen(host, port, path)
        if receive_buffer is not None:
            # Accepted sockets inherit it; set later, it would not bound the window any more.
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        address = self._listener.getsockname()
        #: Where clients find the server, such as ``ws://127.0.0.1:40123/``.
        self.url = url_of(self._listener, ssl_context is not None)
        #: The port, or 0 on a unix socket.
        self.port: int = address[1] if isinstance(address, tuple) else 0
        #: What went wrong in scripts so far, in order.
        self.errors: list[Exception] = []
        self._listener.setblocking(False)
        self._closing = threading.Event()
        self._wakeup = Wakeup()
        # Guards what follows, and tells when a script has ended.
        self._changed = threading.Condition()
        self._played = 0
        self._peers: list[ScriptedPeer] = []
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(
            target=self._accept_all, name="scripted-server", daemon=True
        )
        self._accepting.start()

    def __repr__(self) -> str:
        return f"<ScriptedServer {self.url}, {len(self._peers)} connections so far>"

    def __enter__(self) -> ScriptedServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(check=error is None)
        if error is not None:
            for failure in self.errors:
                error.add_note(f"a script of {self!r} failed as well: {failure!r}")

    @property
    def peers(self) -> list[ScriptedPeer]:
        """The connections so far, in their order, also those that have ended."""
        with self._changed:
            return list(self._peers)

    def wait(self, timeout: float = 5.0) -> None:
        """Wait until every script was played to its end. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._played >= len(self._scripts), timeout):
                raise TimeoutError(
                    f"{self._played} of {len(self._scripts)} scripts have ended after {timeout:g} s"
                )

    def close(self, *, check: bool = True) -> None:
        """End all scripts, close all sockets, join all threads. Idempotent.

        A script that holds its connection or drips ends at once; one that waits for the client has
        a second to get it. Raises what went wrong in a script, unless `check` is False: a single
        error as it is, several as an ExceptionGroup.
        """
        if not self._closing.is_set():
            self._closing.set()
            self._wakeup.set()
            self._accepting.join()
            self._listener.close()
            self._wakeup.close()
            for peer in self._peers:
                if peer.is_ending:
                    peer.cancel()
            deadline = time.monotonic() + _GRACE
            for thread in self._threads:
                thread.join(max(0.0, deadline - time.monotonic()))
            for peer in self._peers:
                peer.cancel()
            for thread in self._threads:
                thread.join(self._timeout)
                if thread.is_alive():
                    self.errors.append(RuntimeError(f"the script on {thread.name} does not return"))
        if check and self.errors:
            errors, self.errors = self.errors, []
            if len(errors) == 1:
                raise errors[0]
            raise ExceptionGroup(f"{len(errors)} scripts failed", errors)

    # --- on the server's threads ----------------------------------------------------------------

    def _accept_all(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wakeup.fileno(), selectors.EVENT_READ)
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._closing.is_set():
                selector.select()
                try:
                    accepted, _address = self._listener.accept()
                except BlockingIOError:
                    continue
                except OSError as error:
                    self.errors.append(error)
                    return
                self._start_script(accepted)

    def _start_script(self, accepted: socket.socket) -> None:
        number = len(self._peers)
        if number >= len(self._scripts) and not self._repeat:
            accepted.close()
            self.errors.append(
                AssertionError(f"expected {number} connections, one for each script, got another")
            )
            return
        script = self._scripts[min(number, len(self._scripts) - 1)]
        peer = ScriptedPeer(accepted, self._closing, self._timeout)
        name = f"scripted-server-{number + 1}"
        thread = threading.Thread(target=self._play, args=(script, peer), name=name, daemon=True)
        with self._changed:
            self._peers.append(peer)
            self._threads.append(thread)
        thread.start()

    def _play(self, script: Script, peer: ScriptedPeer) -> None:
        try:
            if self._ssl_context is not None:
                peer.start_tls(self._ssl_context)
            script(peer)
        except ScriptCancelled:
            peer.close()  # the server was closed, and the script was only waiting for that
        except Exception as error:
            self.errors.append(error)
            peer.close()
        with self._changed:
            self._played += 1
            self._changed.notify_all()
        peer.end()
