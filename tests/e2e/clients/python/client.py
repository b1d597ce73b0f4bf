"""The `kubernetes` client of Python, driven by the tests: see ../README.md."""

import json
import sys
import threading

from kubernetes import client, config
from kubernetes.informer import ADDED, DELETED, ERROR, MODIFIED, SharedInformer

PAGE = 7
_output = threading.Lock()


def say(**what):
    with _output:
        print(json.dumps(what), flush=True)


def version(config_map):
    return {
        "name": config_map.metadata.name,
        "revision": config_map.metadata.resource_version,
        "value": (config_map.data or {}).get("value", ""),
    }


def list_pages(api, namespace):
    names, pages, token = [], 0, None
    while pages == 0 or token:
        page = api.list_namespaced_config_map(namespace, limit=PAGE, _continue=token)
        names += [item.metadata.name for item in page.items]
        token, pages = page.metadata._continue, pages + 1
    say(listed=names, pages=pages)


def start_informer(api, namespace):
    informer = SharedInformer(api.list_namespaced_config_map, namespace=namespace)
    for kind in (ADDED, MODIFIED, DELETED):
        informer.add_event_handler(kind, lambda o, kind=kind: say(event=kind, **version(o)))
    informer.add_event_handler(ERROR, lambda e: say(event="ERROR", value=repr(e)))
    informer.start()
    return informer


def run(api, namespace, verb, name, value):
    if verb == "create":
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data={"value": value})
        return api.create_namespaced_config_map(namespace, body)
    if verb == "patch":
        return api.patch_namespaced_config_map(name, namespace, {"data": {"value": value}})
    if verb == "get":
        return api.read_namespaced_config_map(name, namespace)
    api.delete_namespaced_config_map(name, namespace)
    return None


def main(namespace):
    config.load_kube_config()
    api = client.CoreV1Api()
    list_pages(api, namespace)
    informer = start_informer(api, namespace)
    for line in sys.stdin:
        verb, name, value = (line.split() + ["", ""])[:3]
        if verb == "state":
            say(state=[version(o) for o in informer.cache.list()])
            continue
        try:
            done = run(api, namespace, verb, name, value)
            say(**({"did": verb, "name": name} | (version(done) if done else {})))
        except client.ApiException as error:
            say(failed=verb, name=name, code=error.status)
    informer.stop()


main(sys.argv[1])
