"""Runs the grpcurl lines of a document against a server, with grpcio in grpcurl's place.

Usage: python grpcurl_lines.py HOST:PORT DOCUMENT.md DIRECTORY

What a line cannot know is filled in: the id of an alert, a resume token and an operation from the answers before, and
DIRECTORY for a folder of exports. A stream is read as far as its first answer. Exits with 1 at the first line that fails.
"""

import json
import re
import shlex
import sys

import grpc
from google.protobuf import json_format
from grpc_client import Api

DOCUMENT_ADDRESS = "127.0.0.1:7070"


def commands(document):
    """(words, standard input) of each grpcurl command in the document's blocks of shell."""
    for block in re.findall(r"```sh\n(.*?)```", document, re.S):
        lines = iter(block.replace("\\\n", " ").splitlines())
        for line in lines:
            if not line.startswith("grpcurl "):
                continue
            line, _, end = line.partition("<<")
            given = []
            if end:
                for row in lines:
                    if row == end.strip("' "):
                        break
                    given.append(row)
            yield shlex.split(line), given


class Lines:
    def __init__(self, address, directory):
        self.api = Api(address)
        self.directory = directory
        self.alert = next(iter(self.api.call("lianjing.v1.AlertService", "ListAlerts", page_size=1).alerts)).alert_id
        self.token = self.operation = None

    def filled(self, message):
        """The message with what the document leaves open."""
        for key, value in (("alert_id", self.alert), ("resume_token", self.token), ("operation_id", self.operation),
                           ("directory", self.directory)):
            if key in message:
                if value is None:
                    raise ValueError(f"no {key} is known yet")
                message[key] = value
        return message

    def run(self, words, given):
        words.remove("-plaintext")
        words.remove(DOCUMENT_ADDRESS)
        data = []
        if "-d" in words:
            at = words.index("-d")
            data = given if words[at + 1] == "@" else [words[at + 1]]
            del words[at:at + 2]
        match words[1:]:
            case ["list"]:
                return sorted(self.api.database.get_services())
            case ["describe", name]:
                return [m.name for m in self.api.pool.FindServiceByName(name).methods]
            case [method]:
                return self.call(*method.split("/"), [self.filled(json.loads(d)) for d in data])
        raise ValueError(f"not understood: {words}")

    def call(self, service, name, messages):
        method, request, response = self.api.method(service, name)
        requests = [json_format.ParseDict(m, request()) for m in messages]
        kinds = ("stream" if s else "unary" for s in (method.client_streaming, method.server_streaming))
        make = getattr(self.api.channel, "_".join(kinds))
        stub = make(f"/{service}/{name}", request_serializer=request.SerializeToString,
                    response_deserializer=response.FromString)
        answer = stub(iter(requests) if method.client_streaming else requests[0], timeout=60)
        if method.server_streaming:
            first = next(answer)
            answer.cancel()
            answer = first
        self.token = getattr(answer, "resume_token", "") or self.token
        if hasattr(answer, "operation"):
            self.operation = answer.operation.operation_id
        return json_format.MessageToDict(answer)


def main(address, document, directory):
    with open(document, encoding="utf-8") as file:
        listed = list(commands(file.read()))
    lines = Lines(address, directory)
    for words, given in listed:
        shown = shlex.join(words)
        try:
            answer = lines.run(words, given)
        except (grpc.RpcError, ValueError, KeyError, json_format.ParseError) as problem:
            sys.exit(f"{shown}\n{type(problem).__name__}: {problem}")
        if not answer:
            sys.exit(f"{shown}\nan empty answer")
    print(f"{len(listed)} lines ran")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
