import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Cgroups, findCgroup } from './cgroup.ts';
import { type Engine, EngineError } from './engine.ts';
import { Freezer } from './freezer.ts';
import { StatsReader } from './stats.ts';

/** Where the kernel's second hierarchy is mounted: beside the first it may have no controllers, but it freezes. */
function unified(): string | undefined {
  for (const line of readFileSync('/proc/self/mountinfo', 'latin1').split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root, at] = before.split(' ');
    if (after.startsWith('cgroup2 ') && root === '/') return at;
  }
  return undefined;
}

const root = process.platform === 'linux' && process.getuid?.() === 0 ? unified() : undefined;
const skip = root ? {} : { skip: 'needs root, and a mounted cgroup2' };

/** A process that counts its rounds, in a cgroup of that name. */
async function counting(t: TestContext, id: string): Promise<{ pid: number; rounds(): number }> {
  const folder = `${root}/gantry-tests-${process.pid}-${id}`;
  mkdirSync(folder);
  const line = "setInterval(() => process.stdout.write('.'), 2)";
  const child: ChildProcess = spawn(process.execPath, ['-e', line]);
  let rounds = 0;
  child.stdout!.on('data', (bytes: Buffer) => {
    rounds += bytes.length;
  });
  writeFileSync(`${folder}/cgroup.procs`, String(child.pid));
  t.after(async () => {
    writeFileSync(`${folder}/cgroup.freeze`, '0');
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await ended;
    rmdirSync(folder);
  });
  while (rounds === 0) await delay(5);
  return { pid: child.pid!, rounds: () => rounds };
}

function freezerOf(pid: number, calls: string[]) {
  const engine = {
    async call({ path }: { path: string }) {
      calls.push(path);
      if (path.endsWith('/unpause')) throw new EngineError(409, 'Container is not paused');
    },
  } as unknown as Engine;
  const whereabouts = { pid, address: undefined };
  return (local: boolean) => {
    const cgroups = new Cgroups(local);
    const freezer = new Freezer({ engine, cgroups, whereabouts: async () => whereabouts });
    return { freezer, cgroups, whereabouts, engine };
  };
}

test('on cgroup 2, the kernel freezes and thaws, and the engine is not asked', skip, async (t) => {
  const id = 'c0ffee';
  const { pid, rounds } = await counting(t, id);
  const cgroup = await findCgroup(pid, id);
  assert.equal(cgroup?.version, 2, JSON.stringify(cgroup));
  const calls: string[] = [];
  const { freezer } = freezerOf(pid, calls)(true);
  await freezer.freeze(id);
  assert.equal(await freezer.isFrozen(id), true);
  await delay(50);
  const before = rounds();
  await delay(200);
  assert.equal(rounds(), before, 'it gets no time');
  await freezer.thaw(id);
  assert.equal(await freezer.isFrozen(id), false);
  while (rounds() === before) await delay(5);
  assert.deepEqual(calls, []);
});

test(
  'one that an earlier process froze on cgroup 2 is known as frozen, and thawed',
  skip,
  async (t) => {
    const id = 'decaf';
    const { pid, rounds } = await counting(t, id);
    const open = freezerOf(pid, []);
    await open(true).freezer.freeze(id);
    const { freezer } = open(true);
    assert.equal(await freezer.isFrozen(id), true);
    const before = rounds();
    await freezer.thaw(id);
    while (rounds() === before) await delay(5);
  },
);

test(
  'of an engine elsewhere no cgroup of this machine is touched, whatever its numbers',
  skip,
  async (t) => {
    const id = 'beef';
    const { pid, rounds } = await counting(t, id);
    const calls: string[] = [];
    const { freezer, cgroups, whereabouts } = freezerOf(pid, calls)(false);
    await freezer.freeze(id);
    assert.equal(await freezer.isFrozen(id), false);
    const before = rounds();
    while (rounds() === before) await delay(5);
    await freezer.thaw(id);
    assert.deepEqual(calls, [`/containers/${id}/pause`, `/containers/${id}/unpause`]);
    const asked = { call: async () => ({ pids_stats: { current: 7 } }) } as unknown as Engine;
    const { pids } = await new StatsReader(asked, cgroups).read(id, whereabouts);
    assert.equal(pids, 7, 'the engine counts');
  },
);

test("a process of this machine that is not the container's is not frozen", skip, async (t) => {
  const { pid, rounds } = await counting(t, 'other');
  const calls: string[] = [];
  const { freezer } = freezerOf(pid, calls)(true);
  await freezer.freeze('f00d');
  assert.deepEqual(calls, ['/containers/f00d/pause']);
  const before = rounds();
  while (rounds() === before) await delay(5);
});

test('what a cgroup of version 2 has used is read as the engine counts it', async (t) => {
  const path = mkdtempSync(join(tmpdir(), 'gantry-cgroup-'));
  t.after(() => rmSync(path, { recursive: true }));
  // As the kernel writes them (cgroup-v2 of its documentation).
  const files = {
    'cpu.stat': 'usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\nnr_periods 3\n',
    'memory.current': '10485760\n',
    'memory.stat': 'anon 4194304\nfile 6291456\ninactive_anon 1\ninactive_file 2097152\n',
    'pids.current': '12\n',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  const cgroups = { of: async () => ({ version: 2, path }) } as unknown as Cgroups;
  const engine = { call: () => assert.fail('the engine is not asked') } as unknown as Engine;
  const stats = await new StatsReader(engine, cgroups).read('c0ffee', { pid: 1, address: '' });
  assert.deepEqual(stats, { cpuMicros: 1_234_567, memory: 8 << 20, pids: 12 });
  rmSync(join(path, 'pids.current'));
  const gone = new StatsReader(engine, cgroups).read('c0ffee', { pid: 1, address: '' });
  await assert.rejects(gone, { failure: 'no-such-instance' });
});
