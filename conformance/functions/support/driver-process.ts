/** Runs cases of the driver contract, in the network of an engine: see driver-bench.ts. */
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { parseDigest } from '../../../src/oci/digest.ts';
import type { ImageSource } from '../../../src/ports/runtime-driver.ts';
import type { Subject, TestImage } from '../../../src/runtimes/contract/bench.ts';
import { runCase } from '../../../src/runtimes/contract/driver-contract.ts';
import { openDockerDriver } from '../../../src/runtimes/docker/open-docker.ts';
import { type Image, type Index, noise } from '../../clients/support/images.ts';
import { Registry } from '../../clients/support/registry.ts';
import { tar } from '../../clients/support/tar.ts';
import { busyboxPath } from './busybox.ts';
import { type DriverPlace, type FromCases, placeVariable, type ToCases } from './driver-bench.ts';
import { imageOf, indexOf } from './images.ts';

const place = JSON.parse(process.env[placeVariable] ?? '') as DriverPlace;
const { username, password } = place;
const registry = new Registry(`http://${place.registry}`, { username, password });
const pushed = new Map<string, Promise<ImageSource>>();
const asked = new Map<number, (failed: string | undefined) => void>();
let asks = 0;

function ask(what: 'hang' | 'resume' | 'restart'): Promise<void> {
  return new Promise((resolve, reject) => {
    const id = ++asks;
    asked.set(id, (failed) => (failed === undefined ? resolve() : reject(new Error(failed))));
    tell({ ask: what, id });
  });
}

function tell(message: FromCases): void {
  process.send!(message);
}

const subject: Subject = {
  async open({ installation, callLimit }) {
    const opened = await openDockerDriver({
      dockerHost: place.host,
      env: {},
      installation,
      pullAddress: () => place.registry,
      ...(callLimit === undefined ? {} : { callLimit }),
    });
    if ('missing' in opened) throw new Error(opened.missing);
    return opened.driver;
  },
  push(image, seed) {
    const key = JSON.stringify([image, seed]);
    const known = pushed.get(key) ?? push(image, seed);
    pushed.set(key, known);
    return known;
  },
  hang: () => ask('hang'),
  resume: () => ask('resume'),
  restart: () => ask('restart'),
  folder: place.folder,
  async leftovers() {
    const containers = await engine<{ Names: string[] }[]>('/containers/json?all=1');
    const { Volumes } = await engine<{ Volumes: { Name: string }[] | null }>('/volumes');
    return [
      ...containers.map(({ Names }) => `container ${Names[0]}`),
      ...(Volumes ?? []).map(({ Name }) => `volume ${Name}`),
    ];
  },
};

async function push(image: TestImage, seed: string): Promise<ImageSource> {
  const repository = `${place.project}/${seed}-${pushed.size}`;
  const made = imageFor(image, seed);
  await registry.push(repository, 'v1', made);
  const digest = parseDigest(made.manifest.descriptor.digest)!;
  return { repository, digest, credentials: { username, password } };
}

function imageFor(image: TestImage, seed: string): Image | Index {
  const bytes = readFileSync(busyboxPath);
  const layers = [
    tar([
      { name: 'bin/' },
      { name: 'bin/busybox', bytes, mode: 0o755 },
      { name: 'bin/sh', bytes, mode: 0o755 },
      { name: 'tmp/', mode: 0o1777 },
      { name: 'etc/' },
      {
        name: 'etc/passwd',
        bytes: Buffer.from('root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n'),
      },
      { name: 'etc/seed', bytes: Buffer.from(seed) },
    ]),
    ...(image.extraBytes
      ? [tar([{ name: 'extra', bytes: noise(seed, image.extraBytes), mode: 0o644 }])]
      : []),
  ];
  const { architectures = ['amd64'] } = image;
  const images = architectures.map((architecture) =>
    imageOf(layers, {
      entrypoint: image.entrypoint ?? [],
      cmd: image.command ?? (image.entrypoint ? [] : ['/bin/sh', '-c', 'exit 0']),
      ...(image.user ? { user: image.user } : {}),
      ...(image.workingDir ? { workingDir: image.workingDir } : {}),
      ...(image.env ? { env: image.env } : {}),
      ...(image.expose ? { expose: image.expose } : {}),
      ...(image.compression ? { compression: image.compression } : {}),
      platform: { os: 'linux', architecture },
      config: {
        ...(image.stopSignal ? { StopSignal: image.stopSignal } : {}),
        ...(image.volumes
          ? { Volumes: Object.fromEntries(image.volumes.map((path) => [path, {}])) }
          : {}),
      },
    }),
  );
  if (images.length === 1) return images[0]!;
  return indexOf(images, architectures);
}

/** Not by the driver: it does not tell on itself. */
function engine<Answer>(path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socketPath = place.host.replace('unix://', '');
    get({ socketPath, path, agent: false }, async (response) => {
      const parts: Buffer[] = [];
      for await (const part of response) parts.push(part as Buffer);
      resolve(JSON.parse(Buffer.concat(parts).toString()) as Answer);
    }).on('error', reject);
  });
}

process.on('message', async (message: ToCases) => {
  if ('done' in message) return asked.get(message.done)?.(message.failed);
  const { id, group, sentence } = message;
  const failed = await runCase(subject, group, sentence).then(
    () => undefined,
    (error: Error) => error.stack ?? String(error),
  );
  tell({ id, failed });
});
