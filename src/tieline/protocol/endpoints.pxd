from tieline.protocol.connection cimport Connection
from tieline.protocol.opening cimport ClientOpening


cpdef Connection client_connection(request, url, settings=*, random_bytes=*)
