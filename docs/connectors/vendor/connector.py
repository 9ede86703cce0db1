"""A vendor's connector for Lianjing in Python: purchase orders of a SQLite database.

    pip install grpcio grpcio-tools
    python -m grpc_tools.protoc -I proto --python_out=. --grpc_python_out=. proto/lianjing/v1/connector_port.proto
    python connector.py --listen 127.0.0.1:50051

Configured in sources.toml:

    [sources.acme]
    kind = "remote"
    [sources.acme.config]
    url = "http://127.0.0.1:50051"
    lists_keys = true
    [sources.acme.config.settings]
    database = "/srv/acme/orders.db"
    look_back = 100

The table it reads: orders(id text primary key, supplier text, amount text, ordered_on text, version integer). `version`
grows with every change; it is the cursor. Rows may share a version, so the window starts at the cursor itself, not after
it; and rows may be committed after others with a greater version, so it starts `look_back` versions before that. What
comes twice does no harm, since the host compares by key.
"""

import argparse
import json
import sqlite3
from concurrent import futures

import grpc
from lianjing.v1 import connector_port_pb2 as pb
from lianjing.v1 import connector_port_pb2_grpc as port

STREAM = "orders"
DATASET = "purchase_orders"
SCHEMA = {
    "type": "object",
    "required": ["database"],
    "properties": {
        "database": {"type": "string", "description": "Path of the SQLite database"},
        "look_back": {"type": "integer", "description": "Versions that are read again before the cursor; 0 by default"},
    },
}


class Connector(port.ConnectorPortServicer):
    def Spec(self, request, context):
        return pb.SpecResponse(
            kind="acme-orders",
            title_zh="示例订单库",
            title_en="Example order database",
            config_schema_json=json.dumps(SCHEMA),
            incremental=True,
            lists_keys=True,
        )

    def Check(self, request, context):
        with self.open(request, context) as database:
            database.execute("select id, version from orders limit 1").fetchall()
        return pb.CheckResponse()

    def Discover(self, request, context):
        stream = pb.Stream(name=STREAM, dataset=DATASET, cursor_column="version")
        return pb.DiscoverResponse(streams=[stream])

    def Read(self, request, context):
        since = int(request.cursors.get(STREAM, "0")) - settings(request).get("look_back", 0)
        size = max(1, request.batch_rows)
        with self.open(request, context) as database:
            rows = database.execute(
                "select id, supplier, amount, ordered_on, version from orders where version >= ? order by version, id",
                (since,),
            )
            page = 0
            while True:
                batch = rows.fetchmany(size)
                if not batch:
                    return
                page += 1
                # The bytes as they came: the host keeps them, so that one can show what the source said that day.
                raw = "\n".join(json.dumps(row, ensure_ascii=False) for row in batch)
                yield pb.ReadResponse(raw=pb.RawBytes(name=f"orders/{since}-{page}.jsonl", data=raw.encode()))
                objects = [
                    json.dumps(
                        {
                            "order_id": order,
                            "line_no": 1,
                            "supplier_name": supplier,
                            "amount": amount,
                            "ordered_at": ordered_on,
                        },
                        ensure_ascii=False,
                    )
                    for order, supplier, amount, ordered_on, _ in batch
                ]
                yield pb.ReadResponse(rows=pb.Rows(dataset=DATASET, json_rows=objects, first_position=1))
                # Every row up to here has been sent.
                cursor = str(batch[-1][4])
                yield pb.ReadResponse(checkpoint=pb.Checkpoint(stream=STREAM, cursor=cursor))

    def Keys(self, request, context):
        with self.open(request, context) as database:
            keys = [
                json.dumps({"order_id": order, "line_no": 1})
                for (order,) in database.execute("select id from orders order by id")
            ]
        # One response even when there is no key: the host then knows that the dataset is empty.
        yield pb.KeysResponse(dataset=DATASET, json_keys=keys)

    def open(self, request, context):
        path = settings(request).get("database")
        if path is None:
            # Wrong configuration: the host never tries this again by itself.
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "settings: key `database` is missing")
        try:
            return sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        except sqlite3.OperationalError as error:
            # May pass: the host tries again later.
            context.abort(grpc.StatusCode.UNAVAILABLE, f"{path}: {error}")


def settings(request):
    return json.loads(request.config_json or "{}")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--listen", default="127.0.0.1:50051")
    listen = arguments.parse_args().listen
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    port.add_ConnectorPortServicer_to_server(Connector(), server)
    bound = server.add_insecure_port(listen)
    server.start()
    print(f"listening on {listen.rsplit(':', 1)[0]}:{bound}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
