import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { apiVersion, capabilitiesOf, type EngineInfo, type EngineVersion } from './capabilities.ts';
import { placeCgroup } from './cgroup.ts';
import { demux, jsonLines } from './demux.ts';
import { hasProjectQuota } from './disk-quota.ts';
import type { Engine } from './engine.ts';
import { findEngine } from './engine-address.ts';
import { GpuPool } from './gpu-pool.ts';
import { chooseGpus, gpusInUse, parseGpu } from './gpus.ts';
import { parseListeners } from './local-process.ts';

describe('where the engine is', () => {
  const cases: readonly [string | undefined, Record<string, string>, string][] = [
    [undefined, {}, 'unix:///var/run/docker.sock'],
    [undefined, { DOCKER_HOST: 'unix:///a.sock' }, 'unix:///a.sock'],
    ['unix:///b.sock', { DOCKER_HOST: 'unix:///a.sock' }, 'unix:///b.sock'],
    ['tcp://10.0.0.1:2375', {}, 'tcp://10.0.0.1:2375'],
  ];
  for (const [setting, env, expected] of cases) {
    test(`${setting} and ${JSON.stringify(env)}: ${expected}`, () => {
      const found = findEngine(setting, env);
      assert.ok(typeof found !== 'string', String(found));
      assert.equal(found.name, expected);
      assert.equal(found.local, expected.startsWith('unix:'));
    });
  }
  test('what cannot be one is refused with the reason', () => {
    assert.match(
      String(findEngine('/var/run/docker.sock', {})),
      /GANTRY_DOCKER_HOST must be unix:/,
    );
    assert.match(String(findEngine('unix://docker.sock', {})), /no absolute path/);
    assert.match(
      String(findEngine(undefined, { DOCKER_HOST: 'ssh://a@b' })),
      /DOCKER_HOST must be/,
    );
    const tls = findEngine('tcp://10.0.0.1:2376', { DOCKER_TLS_VERIFY: '1', HOME: '/none' });
    assert.match(String(tls), /DOCKER_CERT_PATH.*\/none\/.docker\/ca.pem/);
  });
  test('an address of version 6 is written without brackets where it is dialled', () => {
    const found = findEngine('tcp://[::1]:2375', {});
    assert.ok(typeof found !== 'string');
    assert.deepEqual([found.host, found.port, found.tls], ['::1', 2375, undefined]);
  });
});

test('the port is the one that is named, also the one of the scheme; else that of engines', () => {
  const portOf = (name: string) => {
    const found = findEngine(name, {});
    return typeof found === 'string' ? found : found.port;
  };
  const cases: readonly [string, number][] = [
    ['http://10.0.0.1:80', 80],
    ['http://10.0.0.1:80/', 80],
    ['http://10.0.0.1:8080', 8080],
    ['http://10.0.0.1', 2375],
    ['http://[::1]', 2375],
    ['tcp://10.0.0.1:80', 80],
    ['tcp://10.0.0.1', 2375],
  ];
  for (const [name, port] of cases) assert.equal(portOf(name), port, name);
});

describe('what listens, by /proc/net/tcp', () => {
  const head = '  sl  local_address rem_address   st tx_queue rx_queue\n';
  const line = (local: string, state = '0A') => `   0: ${local} 00000000:0000 ${state} 0:0\n`;
  const tables: readonly [string, string, [number, string][]][] = [
    ['all addresses', head + line('00000000:1F90'), [[8080, 'elsewhere']]],
    ['127.0.0.1', head + line('0100007F:1F90'), [[8080, 'loopback']]],
    ['127.0.0.5', head + line('0500007F:1F90'), [[8080, 'loopback']]],
    ['::1', head + line('00000000000000000000000001000000:1F90'), [[8080, 'loopback']]],
    ['::', head + line('00000000000000000000000000000000:1F90'), [[8080, 'elsewhere']]],
    [
      '127.0.0.1 as IPv6',
      head + line('0000000000000000FFFF00000100007F:1F90'),
      [[8080, 'loopback']],
    ],
    [
      'another port beside',
      head + line('00000000:1F91') + line('0100007F:0050'),
      [
        [8081, 'elsewhere'],
        [80, 'loopback'],
      ],
    ],
    ['a connection', head + line('0100007F:1F90', '01'), []],
    ['nothing', '', []],
  ];
  for (const [name, table, expected] of tables) {
    test(name, () =>
      assert.deepEqual(
        parseListeners(table).map(({ port, bound }) => [port, bound]),
        expected,
      ),
    );
  }
});

describe('cgroups', () => {
  const id = 'c0ffee';
  test('of version 1, each controller where it is mounted', () => {
    const mounts = [
      '30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct',
      '31 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
      '32 25 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids',
      '33 25 0:29 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer',
    ].join('\n');
    const path = `/docker/${id}`;
    const membership = `4:memory:${path}\n3:cpu,cpuacct:${path}\n2:pids:${path}\n1:freezer:${path}\n0::/\n`;
    assert.deepEqual(placeCgroup(membership, mounts, id), {
      version: 1,
      cpuacct: `/sys/fs/cgroup/cpu,cpuacct${path}`,
      memory: `/sys/fs/cgroup/memory${path}`,
      pids: `/sys/fs/cgroup/pids${path}`,
      freezer: `/sys/fs/cgroup/freezer${path}`,
    });
  });
  test('of version 2, also where a part of the tree is mounted', () => {
    const slice = '/system.slice';
    const membership = `0::${slice}/docker-${id}.scope\n`;
    const at = (root: string) => `30 25 0:26 ${root} /sys/fs/cgroup rw - cgroup2 cgroup2 rw`;
    assert.deepEqual(placeCgroup(membership, at('/'), id), {
      version: 2,
      path: `/sys/fs/cgroup${slice}/docker-${id}.scope`,
    });
    assert.deepEqual(placeCgroup(membership, at(slice), id), {
      version: 2,
      path: `/sys/fs/cgroup/docker-${id}.scope`,
    });
    assert.equal(placeCgroup(membership, at('/elsewhere'), id), undefined);
  });
  test("another's process is not taken for the container's", () => {
    const mounts = '30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw';
    assert.equal(placeCgroup('0::/docker/other\n', mounts, id), undefined);
  });
});

test('a project quota is that of the mount which holds the folder', () => {
  const mounts = [
    '1 0 8:1 / / rw - ext4 /dev/sda1 rw',
    '2 1 8:2 / /var/lib/docker rw - xfs /dev/sdb1 rw,attr2,prjquota',
    '3 1 8:3 / /var/lib/docker/other rw - xfs /dev/sdc1 rw',
  ].join('\n');
  assert.equal(hasProjectQuota(mounts, '/var/lib/docker'), true);
  assert.equal(hasProjectQuota(mounts, '/var/lib/docker/sub'), true);
  assert.equal(hasProjectQuota(mounts, '/var/lib/docker/other'), false);
  assert.equal(hasProjectQuota(mounts, '/var/lib/dockers'), false);
});

describe('GPUs', () => {
  const information = (model: string) =>
    `Model: \t\t ${model}\nIRQ:   \t\t 33\nGPU UUID: \t GPU-1\nVideo BIOS: \t 90\n`;
  for (const [model, name] of [
    ['Tesla T4', 'T4'],
    ['NVIDIA A10G', 'A10G'],
    ['NVIDIA A100-SXM4-40GB', 'A100'],
    ['NVIDIA H100 80GB HBM3', 'H100'],
  ] as const) {
    test(`${model} is ${name}`, () =>
      assert.deepEqual(parseGpu(information(model)), { uuid: 'GPU-1', name }));
  }
  test('an engine without the toolkit gives none, and is not asked to', async () => {
    const engine = {
      address: { local: true },
      call: () => assert.fail('the engine is asked'),
    } as unknown as Engine;
    const info = { Driver: 'overlay2', DockerRootDir: '/d', NCPU: 2, MemTotal: 4, Runtimes: {} };
    const pool = await GpuPool.open(engine, info);
    assert.deepEqual(pool.counts(), {});
    await assert.rejects(pool.take({ name: 'T4', count: 1 }), {
      ...{ failure: 'invalid-spec', message: /NVIDIA Container Toolkit is missing/ },
    });
  });
  test('each is given to one instance, and what lacks is said', () => {
    const all = ['a', 'b', 'c'].map((uuid) => ({ uuid, name: uuid === 'c' ? 'A100' : 'T4' }));
    const used = gpusInUse([{ Labels: { 'gantry.gpus': 'a' } }, { Labels: null }]);
    assert.deepEqual(chooseGpus(all, used, { name: 't4', count: 1 }), ['b']);
    assert.throws(() => chooseGpus(all, used, { name: 'T4', count: 2 }), { failure: 'in-use' });
    const wanted = { name: 'H100', count: 1 };
    assert.throws(() => chooseGpus(all, used, wanted), {
      failure: 'invalid-spec',
      message: /T4, T4, A100/,
    });
  });
});

describe('capabilities', () => {
  const version: EngineVersion = {
    Version: '20.10.24',
    ApiVersion: '1.41',
    Os: 'linux',
    Arch: 'amd64',
  };
  const info: EngineInfo = { Driver: 'overlay2', DockerRootDir: '/d', NCPU: 2, MemTotal: 4 };
  const around = {
    networkGuard: false,
    bucketVolumes: false,
    diskQuota: false,
    gpus: {},
    missing: ['a sentence.'],
  };
  test('of an engine before zstd, with what it lacks', () => {
    const found = capabilitiesOf(version, info, around);
    assert.equal(found.version, 'Docker 20.10.24');
    assert.deepEqual(found.compressions, ['none', 'gzip']);
    assert.equal(found.userNamespaces, false);
    for (const word of ['zstd', 'diskSize', 'userns-remap', 'a sentence']) {
      assert.ok(
        found.missing.some((sentence) => sentence.includes(word)),
        word,
      );
    }
  });
  test('of one that has it all', () => {
    const newer = { ...version, Version: '29.0.1', ApiVersion: '1.52' };
    const options = { ...info, SecurityOptions: ['name=seccomp,profile=builtin', 'name=userns'] };
    const found = capabilitiesOf(newer, options, { ...around, diskQuota: true, missing: [] });
    assert.deepEqual(found.compressions, ['none', 'gzip', 'zstd']);
    assert.equal(found.userNamespaces, true);
    assert.deepEqual(found.missing, []);
  });
  test('the API is the newest that both know', () => {
    assert.equal(apiVersion({ ...version, ApiVersion: '1.41' }), 'v1.41');
    assert.equal(apiVersion({ ...version, ApiVersion: '1.47' }), 'v1.47');
    assert.equal(apiVersion({ ...version, ApiVersion: '1.156' }), 'v1.47');
  });
});

describe('streams', () => {
  const frame = (type: number, text: string) => {
    const head = Buffer.alloc(8);
    head[0] = type;
    head.writeUInt32BE(Buffer.byteLength(text), 4);
    return Buffer.concat([head, Buffer.from(text)]);
  };
  test('frames come whole, however the bytes were cut', async () => {
    const bytes = Buffer.concat([frame(1, 'one'), frame(2, 'two'), frame(1, '')]);
    for (let size = 1; size <= bytes.length; size++) {
      const pieces: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
      const found: string[] = [];
      for await (const one of demux(Readable.from(pieces))) found.push(one.stream + one.bytes);
      assert.deepEqual(found, ['stdoutone', 'stderrtwo', 'stdout']);
    }
  });
  test('what is no frame ends it', async () => {
    const read = async () => {
      for await (const _ of demux(Readable.from([Buffer.alloc(64, 0xff)])));
    };
    await assert.rejects(read, /a frame of 4294967295 bytes/);
  });
  test('values come one a line, and a line without an end is bounded', async () => {
    const found: unknown[] = [];
    const text = '{"a":1}\r\n\n{"b":"é"}\n{"c":3}';
    const bytes = Buffer.from(text);
    const pieces = [bytes.subarray(0, 17), bytes.subarray(17)];
    for await (const value of jsonLines(Readable.from(pieces))) found.push(value);
    assert.deepEqual(found, [{ a: 1 }, { b: 'é' }, { c: 3 }]);
    const endless = async () => {
      for await (const _ of jsonLines(Readable.from([Buffer.alloc(200, 'x')]), 100));
    };
    await assert.rejects(endless, /more than 100/);
  });
});
