"""The sockets that the service listens on: one address, and several connections accepted in each round of the loop."""

import socket

import uvicorn

ACCEPTED_A_ROUND = 64


def listen(config: uvicorn.Config) -> list[socket.socket]:
    """Listen on a configuration's address.

    The loop accepts one connection for each socket and round. When there is much to do, rounds are long, and with a
    single socket a new client, such as a probe of health, would wait a round for each that came before it.

    Parameters
    ----------
    config : uvicorn.Config

    Returns
    -------
    list of socket
        The same one several times.
    """
    listener = config.bind_socket()
    return [listener, *(listener.dup() for _ in range(ACCEPTED_A_ROUND - 1))]
