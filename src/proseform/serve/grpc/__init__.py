"""The Open Inference Protocol over gRPC: the same cases, tensors and refusals as :mod:`proseform.serve.v2`.

- :mod:`~proseform.serve.grpc.messages`: the protocol's messages, as far as they are used here
- :mod:`~proseform.serve.grpc.bodies`: cases out of a message, and their answers as one
- :mod:`~proseform.serve.grpc.door`: the protocol's methods, as routes of the application
- :mod:`~proseform.serve.grpc.carrier`: carries calls from a port to these routes, and their outcomes back

A method is a path like any other, so a call passes the same guard, limits, deadline and metrics as an HTTP request.
"""
