"""A client that shares no code with the server: grpcio, with everything it knows of the API taken from reflection.

Usage: python grpc_client.py HOST:PORT [ALERTS_MIN]

Needs the PyPI packages grpcio and grpcio-reflection. Exits with 0 when the server kept what its protos promise, else
with 1 and the first thing that was wrong. ALERTS_MIN: how many alerts the store must at least hold (default 0).
"""

import sys

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

SERVICES = {
    "lianjing.v1.AlertService",
    "lianjing.v1.CollisionService",
    "lianjing.v1.ConnectorService",
    "lianjing.v1.GraphService",
    "lianjing.v1.OperationService",
    "lianjing.v1.QueryService",
    "lianjing.v1.ScheduleService",
    "lianjing.v1.ScreeningService",
    "grpc.health.v1.Health",
}


class Api:
    """Calls any method of a server by its name, with messages given as keyword arguments."""

    def __init__(self, address):
        self.channel = grpc.insecure_channel(address)
        self.database = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = descriptor_pool.DescriptorPool(self.database)

    def method(self, service, name):
        method = self.pool.FindServiceByName(service).methods_by_name[name]
        return method, *(message_factory.GetMessageClass(t) for t in (method.input_type, method.output_type))

    def call(self, service, name, /, timeout=30, **fields):
        method, request, response = self.method(service, name)
        make = self.channel.unary_stream if method.server_streaming else self.channel.unary_unary
        stub = make(f"/{service}/{name}", request_serializer=request.SerializeToString,
                    response_deserializer=response.FromString)
        return stub(request(**fields), timeout=timeout)


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def error_of(call):
    try:
        answer = call()
        if hasattr(answer, "__next__"):
            next(answer)
    except grpc.RpcError as error:
        return error
    raise AssertionError("the server took a request it must refuse")


def reason_of(error):
    """ErrorInfo.reason, read from the trailers without any generated code for google.rpc."""
    details = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
    expect(b"google.rpc.ErrorInfo" in details and b"lianjing" in details, f"no ErrorInfo in {details!r}")
    return details


def check(address, alerts_min):
    api = Api(address)

    served = set(api.database.get_services())
    expect(SERVICES <= served, f"reflection lacks {SERVICES - served}")
    for service in sorted(SERVICES - {"grpc.health.v1.Health"}) + [""]:
        status = api.call("grpc.health.v1.Health", "Check", service=service).status
        expect(status == 1, f"health of {service!r} is {status}")
    for service in SERVICES - {"grpc.health.v1.Health"}:
        for method in api.pool.FindServiceByName(service).methods:
            # The option's extension is unknown to this process, so it shows in the serialised options.
            expect(method.GetOptions().ByteSize() > 0, f"{method.full_name} declares no policy")

    rules = list(api.call("lianjing.v1.CollisionService", "ListRules", page_size=1000).rules)
    expect(rules == sorted(rules, key=lambda r: r.rule_id), "rules are not in order")
    for rule in rules:
        expect(rule.title.zh and rule.title.en and rule.legal_basis and rule.lawful_explanations, rule.rule_id)

    items = list(api.call("lianjing.v1.QueryService", "Query", sql="select 1 as one, cast('1.50' as decimal(9,2)) as d"))
    expect(items[0].WhichOneof("item") == "columns", "columns come first")
    row = next(i for i in items if i.WhichOneof("item") == "rows").rows.rows[0]
    expect(row.values[0].int_value == 1 and row.values[1].text_value == "1.50", f"decimals are text: {row}")

    refused = error_of(lambda: api.call("lianjing.v1.QueryService", "Query", sql="delete from staff"))
    expect(refused.code() == grpc.StatusCode.INVALID_ARGUMENT, refused)
    reason_of(refused)
    refused = error_of(lambda: api.call("lianjing.v1.AlertService", "ListAlerts", filter='colour = "red"'))
    expect(refused.code() == grpc.StatusCode.INVALID_ARGUMENT, refused)
    reason_of(refused)
    missing = error_of(lambda: api.call("lianjing.v1.AlertService", "GetAlert", alert_id="A-none"))
    expect(missing.code() == grpc.StatusCode.NOT_FOUND, missing)

    listed, token = [], ""
    while True:
        page = api.call("lianjing.v1.AlertService", "ListAlerts", page_size=7, page_token=token)
        listed += [a.alert_id for a in page.alerts]
        token = page.next_page_token
        if not token:
            break
    exported = [e.alert.alert_id for e in api.call("lianjing.v1.AlertService", "ExportAlerts")]
    expect(listed == exported, "list and export differ")
    expect(len(listed) == len(set(listed)) == page.total_size >= alerts_min, f"{len(listed)} of {page.total_size} alerts")

    watched = []
    stream = api.call("lianjing.v1.AlertService", "WatchAlerts", send_initial_list=True)
    for item in stream:
        expect(item.resume_token, "every item has a token")
        if item.WhichOneof("item") == "bookmark":
            expect(item.bookmark.initial_list_end, "the first bookmark ends the initial list")
            break
        watched.append(item.event.alert.alert_id)
    stream.cancel()
    expect(sorted(watched) == sorted(listed), "the watch begins with the state")

    if listed:
        replayed = api.call("lianjing.v1.AlertService", "ReplayAlert", timeout=300, alert_id=listed[0])
        expect(replayed.reproduced, f"{listed[0]}: {replayed.explanation.en}")
    print(f"{len(rules)} rules, {len(listed)} alerts: all as promised")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        check(sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 0)
    except (AssertionError, grpc.RpcError) as problem:
        sys.exit(f"{type(problem).__name__}: {problem}")
