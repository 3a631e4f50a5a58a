/** A43: what a function cannot reach, from inside a real container. */
import assert from 'node:assert/strict';
import { type AddressInfo, createServer } from 'node:net';
import { functionImage } from './support/images.ts';
import { functionsSuite, type World } from './support/suite.ts';

const service = 'inside';

interface Connected {
  readonly connected: boolean;
  readonly error?: string;
}

async function connect({ gantry, functions }: World, to: string): Promise<Connected> {
  const { status, body } = await gantry.ask(
    functions.serviceHost(service),
    `/connect?to=${encodeURIComponent(to)}&timeout=1500`,
  );
  assert.equal(status, 200, body);
  return JSON.parse(body) as Connected;
}

/** Every address that is Gantry's machine, as a container may find it. */
function hostAddresses({ engine }: World): string[] {
  const text = engine.network.run('ip', '-o', '-4', 'address');
  return [...text.matchAll(/inet ([\d.]+)/g)]
    .map((match) => match[1]!)
    .filter((address) => address !== '127.0.0.1');
}

functionsSuite({
  name: 'isolation',
  // On every address: what is refused is refused by rules, not because nothing listens.
  env: { GANTRY_HOST: '0.0.0.0' },
  async prepare({ functions }) {
    const image = functionImage({ version: 'inside' });
    for (const name of [service, 'sibling']) await functions.deploy(name, 'latest', image);
  },
  tests: {
    "A43: neither Gantry's API nor anything else of the host is reached": async (world) => {
      const port = new URL(world.gantry.origin).port;
      const addresses = hostAddresses(world);
      assert.ok(addresses.length >= 2, addresses.join());
      // Each waits until its connection is given up: at once.
      await Promise.all(
        [...addresses, '127.0.0.1'].map(async (address) => {
          const { connected } = await connect(world, `${address}:${port}`);
          assert.equal(connected, false, `${address}:${port} is reached`);
        }),
      );
    },

    'A43: neither cloud metadata nor a private network behind the host is reached': async (
      world,
    ) => {
      // It is there, and answers: the machine that this test runs on, seen from the engine's network.
      const server = createServer((socket) => socket.end('hello'));
      await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
      const { port } = server.address() as AddressInfo;
      try {
        const { connected } = await connect(world, `${world.engine.network.hostAddress}:${port}`);
        assert.equal(connected, false);
        assert.equal((await connect(world, '169.254.169.254:80')).connected, false);
      } finally {
        server.close();
      }
    },

    'A43: no socket, device or file of the host is inside': async ({ gantry, functions }) => {
      const host = functions.serviceHost(service);
      for (const path of ['/var/run/docker.sock', '/run/docker.sock', '/dev/kmsg', '/dev/vda']) {
        const { status } = await gantry.ask(host, `/file?path=${path}`);
        assert.equal(status, 409, path);
      }
      const write = await gantry.ask(host, '/file?path=/proc/sys/kernel/hostname', {
        method: 'PUT',
        body: 'mine',
      });
      assert.equal(write.status, 409);
      const { cgroup } = JSON.parse((await gantry.ask(host, '/echo')).body);
      assert.ok(cgroup);
      const { body } = await gantry.ask(host, '/file?path=/proc/self/status');
      assert.match(body, /NoNewPrivs:\s+1/);
      const capabilities = BigInt(`0x${/CapBnd:\s+([0-9a-f]+)/.exec(body)![1]}`);
      // capability.h: SYS_ADMIN 21, SYS_PTRACE 19, NET_ADMIN 12, NET_RAW 13, SYS_MODULE 16, MKNOD 27.
      for (const bit of [12n, 13n, 16n, 19n, 21n, 27n]) {
        assert.equal((capabilities >> bit) & 1n, 0n, `capability ${bit}`);
      }
    },

    "A43: another project's instance is not reached, by address or name": async (world) => {
      const { gantry, engine } = world;
      const other = await gantry.api<{ slug: string }>(
        'POST',
        `/teams/${gantry.teamSlug}/projects`,
        { slug: 'other' },
      );
      const repository = `${gantry.teamSlug}/${other.slug}/target`;
      const url = await gantry.push(repository, 'latest', functionImage({ version: 'target' }));
      assert.equal((await gantry.ask(url!, '/')).status, 200);
      const containers = await engine.api<
        { Labels: Record<string, string>; NetworkSettings: { Networks: Networks } }[]
      >('GET', '/containers/json');
      const found = containers.filter(({ Labels }) => Labels['gantry.service'] === 'target');
      const addresses = found.flatMap(({ NetworkSettings }) =>
        Object.values(NetworkSettings.Networks).map(({ IPAddress }) => IPAddress),
      );
      assert.ok(addresses.length > 0);
      await Promise.all(
        [...addresses, 'target'].map(async (address) => {
          assert.equal((await connect(world, `${address}:80`)).connected, false, address);
        }),
      );
    },
  },
});

type Networks = Readonly<Record<string, { readonly IPAddress: string }>>;
