import assert from 'node:assert/strict';
import test from 'node:test';
import { checkSettings } from './check-settings.ts';
import { parseGantryConfig } from './gantry-config.ts';

test('settings within their ranges are good', () => {
  const good = [
    {},
    { contract: 'function-compute', port: 9000, command: ['/app'], args: [], kind: 'event' },
    { env: { A: '' }, secrets: { B: 'DB' }, machineType: 'GPU-T4', diskSize: '10GB' },
    { role: { actions: ['pull'] }, concurrency: 1000, minInstances: 0, maxInstances: 1 },
    { freezeAfterMs: 0, idleMs: { preview: 1000 }, requestTimeoutMs: 900_000, graceMs: 0 },
    { volumes: [{ name: 'data', path: '/data', readOnly: true }] },
    { logSink: { type: 'otlp', url: 'https://logs.example.com/v1' } },
  ];
  for (const settings of good)
    assert.deepEqual(checkSettings(settings), [], JSON.stringify(settings));
});

const bad: readonly (readonly [settings: unknown, sentence: RegExp])[] = [
  [{ prot: 80 }, /takes no "prot": did you mean "port"\?/],
  [{ memory: '2GB' }, /takes no "memory"; it takes contract, port/],
  [{ port: 0 }, /"port" must be a whole number from 1 to 65535/],
  [{ port: '80' }, /"port" must be integer/],
  [{ contract: 'lambda' }, /must be one of vercel, function-compute, cloud-run/],
  [{ concurrency: 1001 }, /from 1 to 1000/],
  [{ minInstances: 3, maxInstances: 2 }, /more than maxInstances, 2/],
  [{ env: { 'A=B': 'x' } }, /no variable can have: "A=B"/],
  [{ env: { A: 'a\0b' } }, /"env\.A" must match/],
  [{ env: { A: 'x'.repeat(32_768), B: 'x'.repeat(32_768) } }, /65538 bytes, and 65536/],
  [{ env: { A: '1' }, secrets: { A: 'S' } }, /both set A/],
  [{ role: { actions: ['manage'] } }, /must be one of pull, push, create/],
  [{ volumes: [{ name: 'd', path: '/a/../proc' }] }, /without "\.\."/],
  [{ volumes: [{ name: 'd', path: '/proc/1' }] }, /nothing can be mounted at "\/proc\/1"/],
  [{ volumes: [{ name: 'd', path: '/' }] }, /nothing can be mounted/],
  [{ volumes: [{ name: 'd', path: '/var/run/gantry' }] }, /nothing can be mounted/],
  [
    {
      volumes: [
        { name: 'd', path: '/a' },
        { name: 'e', path: '/a/' },
      ],
    },
    /same path/,
  ],
  [{ logSink: { type: 'file', url: 'x' } }, /neither \{"type": "file"/],
  [[], /must be object/],
];
for (const [settings, sentence] of bad) {
  test(`refused: ${JSON.stringify(settings).slice(0, 60)}`, () => {
    const problems = checkSettings(settings);
    assert.match(problems.join('\n'), sentence);
  });
}

const parse = (document: unknown, file: 'gantry.json' | 'vercel.json' = 'gantry.json') =>
  parseGantryConfig(document, { file, serviceNames: ['old'] });

test('gantry.json: settings of services, ports as others spell them, and rewrites', () => {
  const parsed = parse({
    $schema: 'https://example.com/schema.json',
    services: {
      web: { root: 'apps/web', entrypoint: 'Dockerfile', caPort: 9000 },
      api: { exposedPort: 8080, concurrency: 5 },
    },
    rewrites: [
      { source: '/api/(.*)', destination: { service: 'api' } },
      { source: '/old', destination: { service: 'old' } },
      { source: '/(.*)', destination: { service: 'web' } },
    ],
  });
  assert.ok('config' in parsed, JSON.stringify(parsed));
  assert.deepEqual(
    { ...parsed.config.services },
    {
      web: { port: 9000 },
      api: { port: 8080, concurrency: 5 },
    },
  );
  assert.equal(parsed.config.rewrites.length, 3);
  assert.deepEqual(parsed.warnings, []);
});

test('gantry.json refuses what it does not know; vercel.json is warned of', () => {
  const document = { buildCommand: 'make', servces: {} };
  const refused = parse(document);
  assert.ok('problems' in refused);
  assert.match(refused.problems.join('\n'), /takes no "servces": did you mean "services"\?/);
  const warned = parse(document, 'vercel.json');
  assert.ok('config' in warned);
  assert.deepEqual(
    warned.warnings.map((warning) => warning.split(' ')[0]),
    ['"buildCommand"', '"servces"'],
  );
});

for (const [document, sentence] of [
  [{ services: { web: { port: 80, caPort: 81 } } }, /"services\.web\.caPort" and another port/],
  [{ services: { web: { root: '../..' } } }, /below the project/],
  [
    { services: { web: { concurency: 1 } } },
    /services\.web takes no "concurency": did you mean "concurrency"/,
  ],
  [{ services: { 'Web!': {} } }, /name of a service/],
  [{ services: { web: 5 } }, /"services\.web" must be object/],
  [{ rewrites: [{ source: '/', destination: { service: 'none' } }] }, /there is no service 'none'/],
  [{ rewrites: [{ source: '/' }] }, /"rewrites\.0" needs "destination"/],
  [
    { rewrites: [{ source: '/', destination: { service: 'old' }, hass: [] }] },
    /did you mean "has"/,
  ],
  ['text', /must be object/],
  [null, /must be object/],
  [JSON.parse('{"services":{"__proto__":{"port":0}}}'), /name of a service|from 1 to/],
] as const) {
  test(`gantry.json refused: ${JSON.stringify(document)}`, () => {
    const parsed = parse(document);
    assert.ok('problems' in parsed);
    assert.match(parsed.problems.join('\n'), sentence);
  });
}
