// The `@kubernetes/client-node` client of JavaScript, driven by the tests: see ../README.md.

import { createInterface } from 'node:readline';
import { CoreV1Api, KubeConfig, PatchStrategy, makeInformer, setHeaderOptions } from '@kubernetes/client-node';

const PAGE = 7;
const RESTART_MS = 300;

const namespace = process.argv[2];
const config = new KubeConfig();
config.loadFromDefault();
const api = config.makeApiClient(CoreV1Api);

const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');

const version = (configMap) => ({
  name: configMap.metadata.name,
  revision: configMap.metadata.resourceVersion,
  value: configMap.data?.value ?? '',
});

async function listPages() {
  const names = [];
  let pages = 0;
  let token;
  do {
    const page = await api.listNamespacedConfigMap({ namespace, limit: PAGE, _continue: token });
    names.push(...page.items.map((item) => item.metadata.name));
    token = page.metadata._continue;
    pages++;
  } while (token);
  say({ listed: names, pages });
}

async function startInformer() {
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const informer = makeInformer(config, path, () => api.listNamespacedConfigMap({ namespace }));
  informer.on('add', (o) => say({ event: 'ADDED', ...version(o) }));
  informer.on('update', (o) => say({ event: 'MODIFIED', ...version(o) }));
  informer.on('delete', (o) => say({ event: 'DELETED', ...version(o) }));
  informer.on('error', (error) => {
    say({ event: 'ERROR', value: String(error) });
    setTimeout(() => informer.start(), RESTART_MS); // An informer that fails stays stopped.
  });
  await informer.start();
  return informer;
}

const commands = {
  create: (name, value) => api.createNamespacedConfigMap({ namespace, body: { metadata: { name }, data: { value } } }),
  patch: (name, value) =>
    api.patchNamespacedConfigMap(
      { name, namespace, body: { data: { value } } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    ),
  get: (name) => api.readNamespacedConfigMap({ name, namespace }),
  delete: (name) => api.deleteNamespacedConfigMap({ name, namespace }),
};

async function run(verb, name, value) {
  try {
    const done = await commands[verb](name, value);
    say({ did: verb, name, ...(verb === 'delete' ? {} : version(done)) });
  } catch (error) {
    say({ failed: verb, name, code: error.code });
  }
}

await listPages();
const informer = await startInformer();
for await (const line of createInterface({ input: process.stdin })) {
  const [verb, name, value] = line.split(' ');
  if (verb === 'state') say({ state: informer.list(namespace).map(version) });
  else await run(verb, name, value);
}
await informer.stop();
process.exit(0);
