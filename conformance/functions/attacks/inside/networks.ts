import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { type AddressInfo, connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { Engine } from '../../../../src/runtimes/docker/engine.ts';
import { findEngine } from '../../../../src/runtimes/docker/engine-address.ts';
import { tableOf } from '../../../../src/runtimes/docker/network-guard/rules.ts';
import { openNetworks } from '../../../../src/runtimes/docker/networks.ts';
import { until } from '../../support/until.ts';
import { serverImage } from '../bench.ts';
import type { Attack } from './attacks.ts';
import { installation, type Scope } from './inside.ts';

const metadata = '169.254.169.254';

/** On every address of the host, as Gantry's API, the engine's or a database may listen. */
async function hostService(scope: Scope, port = 0): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end('of the host');
  });
  await new Promise<void>((resolve) => server.listen(port, '0.0.0.0', resolve));
  scope.defer(() => server.close());
  return (server.address() as AddressInfo).port;
}

function hostAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
}

function answers(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: 2_000 });
    const end = (well: boolean) => {
      socket.destroy();
      resolve(well);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.once('error', () => end(false));
  });
}

function must(program: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${stderr}`);
}

/** The metadata service of a cloud, on an address of the host as clouds' agents have it. */
async function cloudMetadata(scope: Scope): Promise<number> {
  must('ip', 'address', 'add', `${metadata}/32`, 'dev', 'lo');
  scope.defer(() => must('ip', 'address', 'delete', `${metadata}/32`, 'dev', 'lo'));
  return hostService(scope, 80);
}

export const networks: Readonly<Record<string, Attack>> = {
  'A43: the rules are proven at start, and the driver says so': {
    async run(scope) {
      const driver = await scope.inside.driver();
      const { networkGuard, missing } = await driver.capabilities();
      assert.ok(networkGuard, missing.join('\n'));
    },
  },
  'A43: no address of the host is reached, nor cloud metadata, nor another project': {
    async run(scope) {
      const port = await hostService(scope);
      const metadataPort = await cloudMetadata(scope);
      const attacker = await scope.run('attacker');
      const victim = await scope.run('victim');
      const targets = [
        ...[...hostAddresses(), '127.0.0.1', '0.0.0.0'].map((address) => `${address}:${port}`),
        `${metadata}:${metadataPort}`,
        `${victim.address}:80`,
      ];
      for (const target of targets.filter((one) => !/^(?:127|0)\./.test(one))) {
        const [address, of] = target.split(':');
        assert.ok(await answers(address!, Number(of)), `${target} is there for the host`);
      }
      for (const target of targets) assert.ok(!(await attacker.reaches(target)), target);
    },
  },
  'A43: a private network behind the host is not reached': {
    async run(scope) {
      const attacker = await scope.run('attacker');
      // What listens on the machine behind is not known here: refused is reached, too.
      const { body } = await attacker.ask(
        `/connect?to=${scope.inside.place.outside}:1&timeout=1200`,
      );
      assert.match(JSON.parse(body).error, /i\/o timeout/);
    },
  },
  "A43: the engine's socket and Gantry's files are not inside": {
    async run(scope) {
      const attacker = await scope.run('attacker');
      const { socket, folder } = scope.inside.place;
      for (const path of [
        socket,
        folder,
        '/var/run/docker.sock',
        '/run/docker.sock',
        '/run/gantry',
      ]) {
        const { status } = await attacker.ask(`/file?path=${encodeURIComponent(path)}`);
        assert.equal(status, 409, path);
        const { body } = await attacker.ask(`/fetch?url=http://engine/info&socket=${path}`);
        assert.ok(JSON.parse(body).error, path);
      }
      const { body } = await attacker.ask('/file?path=/proc/self/mountinfo');
      const mounts = body.split('\n').filter((line) => / (?:ext4|xfs|btrfs) /.test(line));
      const points = mounts.map((line) => line.split(' ')[4]).sort();
      assert.deepEqual(points, ['/etc/hostname', '/etc/hosts', '/etc/resolv.conf']);
    },
  },
  'A network goes when no container names it, created ones counted; a full one gets another beside':
    {
      async run(scope) {
        const address = findEngine(scope.inside.place.host, {});
        assert.ok(typeof address !== 'string');
        const engine = new Engine({ address, deadline: 30_000 });
        scope.defer(() => engine.close());
        let time = Date.now();
        const options = { installation: 'networks', pool: '10.214.0.0/27', subnetBits: 29 };
        const opened = () => openNetworks(engine, { ...options, now: () => time });
        const networks = opened();
        const [name, same] = await Promise.all([
          networks.ensureNetwork('one', 'public'),
          opened().ensureNetwork('one', 'public'),
        ]);
        assert.equal(name, same, 'two at once make one');
        const containers: string[] = [];
        scope.defer(async () => {
          for (const id of containers) await remove(id);
        });
        const create = async (network: string) => {
          const body = { Image: serverImage, HostConfig: { NetworkMode: network } };
          const path = '/containers/create';
          const { Id } = await engine.call<{ Id: string }>({ method: 'POST', path, body });
          containers.push(Id);
          return Id;
        };
        const remove = (id: string) =>
          engine.call({ method: 'DELETE', path: `/containers/${id}`, query: { force: true } });
        // A /29 has room for five.
        for (let made = 0; made < 5; made++) await create(name);
        time += 61_000;
        assert.equal(await networks.removeUnused(), 0, 'it has containers that never ran');
        const beside = await networks.ensureNetwork('one', 'public');
        assert.notEqual(beside, name, 'the first is full');
        const others = ['two', 'three'].map((project) => networks.ensureNetwork(project, 'public'));
        assert.equal(new Set([name, beside, ...(await Promise.all(others))]).size, 4);
        await assert.rejects(
          networks.ensureNetwork('four', 'public'),
          /No free subnet of \/29 is left/,
        );
        for (const id of containers.splice(0)) await remove(id);
        time += 61_000;
        const later = opened();
        assert.equal(await later.removeUnused(), 0, 'adopted just now');
        time += 61_000;
        assert.equal(await later.removeUnused(), 4);
      },
    },
  'Names resolve by the name server that is set, which is private': {
    async run(scope) {
      const { outside } = scope.inside.place;
      // The machine behind has none: its address is this host's for as long as the test runs.
      must('ip', 'address', 'add', `${outside}/32`, 'dev', 'lo');
      scope.defer(() => must('ip', 'address', 'delete', `${outside}/32`, 'dev', 'lo'));
      const server = createSocket('udp4');
      server.on('message', (query, { address, port }) =>
        server.send(answerOf(query, [127, 0, 0, 1]), port, address),
      );
      await new Promise<void>((resolve) => server.bind(53, outside, resolve));
      scope.defer(() => server.close());
      const attacker = await scope.run('attacker');
      const { body } = await attacker.ask('/fetch?url=http://own.example.test/&timeout=5000');
      assert.deepEqual(JSON.parse(body), { status: 200, body: 'hello from attacker\n' }, body);
    },
  },
  'A43: rules that another program removes are put back, and proven anew': {
    async run(scope) {
      const driver = await scope.inside.driver();
      const port = await hostService(scope);
      const attacker = await scope.run('attacker');
      const target = `${attacker.address.replace(/\d+$/, '1')}:${port}`;
      const gateway = hostAddresses().find((address) => target.startsWith(`${address}:`));
      const reached = `${gateway ?? hostAddresses()[0]}:${port}`;
      assert.ok(!(await attacker.reaches(reached)));
      must('nft', 'delete', 'table', 'inet', tableOf(installation));
      // What this suite asserts is the rules' doing: without them the host answers.
      assert.ok(await attacker.reaches(reached), 'without rules the host is reached');
      await until(
        async () => !(await attacker.reaches(reached)) || undefined,
        'the rules are back',
        { withinMs: 40_000, everyMs: 500 },
      );
      await until(async () => (await driver.capabilities()).networkGuard || undefined, 'proven');
    },
  },
  'A43: two installations on a machine keep their own rules': {
    async run(scope) {
      await scope.inside.driver();
      const other = await scope.inside.open({ installation: 'beside' });
      assert.ok((await other.capabilities()).networkGuard);
      await other.close();
      const { stdout } = spawnSync('nft', ['list', 'tables'], { encoding: 'utf8' });
      assert.ok(stdout.includes(tableOf(installation)), stdout);
      assert.ok(!stdout.includes(tableOf('beside')), stdout);
    },
  },
};

/** An A record for whatever was asked; none for other types. */
function answerOf(query: Buffer, address: readonly number[]): Buffer {
  let end = 12;
  while (query[end] !== 0) end += query[end]! + 1;
  const question = query.subarray(12, end + 5);
  const isA = query.readUInt16BE(end + 1) === 1;
  const head = Buffer.from(query.subarray(0, 12));
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(isA ? 1 : 0, 6);
  head.writeUInt32BE(0, 8);
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address]);
  return Buffer.concat([head, question, ...(isA ? [record] : [])]);
}
