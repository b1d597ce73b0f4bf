//! The `kube` client of Rust, driven by the tests: see ../README.md.

use std::pin::pin;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::watcher::{self, watcher, Event};
use kube::runtime::{reflector, WatchStreamExt};
use kube::{Client, ResourceExt};
use serde_json::{json, Value};
use tokio::io::{AsyncBufReadExt, BufReader};

const PAGE: u32 = 7;

fn say(what: Value) {
    println!("{what}");
}

fn version(config_map: &ConfigMap) -> Value {
    let value = config_map.data.as_ref().and_then(|data| data.get("value"));
    json!({
        "name": config_map.name_any(),
        "revision": config_map.resource_version(),
        "value": value.map_or("", String::as_str),
    })
}

fn with(mut object: Value, key: &str, value: &str) -> Value {
    object[key] = value.into();
    object
}

async fn list_pages(api: &Api<ConfigMap>) -> kube::Result<()> {
    let (mut names, mut pages) = (Vec::new(), 0);
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = api.list(&params).await?;
        names.extend(page.items.iter().map(ConfigMap::name_any));
        pages += 1;
        match page.metadata.continue_ {
            Some(token) if !token.is_empty() => params = params.continue_token(&token),
            _ => break,
        }
    }
    say(json!({"listed": names, "pages": pages}));
    Ok(())
}

async fn run(api: &Api<ConfigMap>, verb: &str, name: &str, value: &str) {
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": value},
    });
    let done = match verb {
        "create" => {
            let object = serde_json::from_value(object).expect("a ConfigMap");
            api.create(&PostParams::default(), &object).await.map(Some)
        }
        "patch" => {
            let patch = Patch::Merge(json!({"data": {"value": value}}));
            api.patch(name, &PatchParams::default(), &patch).await.map(Some)
        }
        "get" => api.get(name).await.map(Some),
        _ => api.delete(name, &DeleteParams::default()).await.map(|_| None),
    };
    match done {
        Ok(Some(object)) => say(with(version(&object), "did", verb)),
        Ok(None) => say(json!({"did": verb, "name": name})),
        Err(kube::Error::Api(status)) => say(json!({"failed": verb, "name": name, "code": status.code})),
        Err(error) => say(json!({"failed": verb, "name": name, "value": error.to_string()})),
    }
}

fn tell(event: watcher::Result<Event<ConfigMap>>) {
    match event {
        Ok(Event::Init) => say(json!({"event": "LIST"})),
        Ok(Event::InitApply(o)) | Ok(Event::Apply(o)) => say(with(version(&o), "event", "APPLIED")),
        Ok(Event::Delete(o)) => say(with(version(&o), "event", "DELETED")),
        Ok(Event::InitDone) => {}
        Err(error) => say(json!({"event": "ERROR", "value": error.to_string()})),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> kube::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let namespace = arguments.next().expect("a namespace");
    let mut config = watcher::Config::default();
    if arguments.next().as_deref() == Some("stream") {
        config = config.streaming_lists();
    }

    let api: Api<ConfigMap> = Api::namespaced(Client::try_default().await?, &namespace);
    list_pages(&api).await?;
    let (store, writer) = reflector::store();
    let mut events = pin!(reflector(writer, watcher(api.clone(), config)).default_backoff());
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            Some(event) = events.next() => tell(event),
            line = lines.next_line() => {
                let Ok(Some(line)) = line else { return Ok(()) };
                let mut words = line.split(' ');
                let mut next = || words.next().unwrap_or_default();
                match (next(), next(), next()) {
                    ("state", ..) => {
                        let state: Vec<Value> = store.state().iter().map(|o| version(o)).collect();
                        say(json!({"state": state}));
                    }
                    (verb, name, value) => run(&api, verb, name, value).await,
                }
            }
        }
    }
}
