import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { refuse } from '../oci/errors.ts';
import type { InstanceSpec, PreparedImage } from '../ports/runtime-driver.ts';
import type { Sandbox } from '../ports/sandboxes.ts';
import { keeperProgram } from './keeper.ts';
import type { NewSandbox, SandboxDeps } from './sandbox-deps.ts';

const keeperPath = '/var/run/gantry/keep';
const diskBytes = { '512MB': 512e6, '10GB': 10e9 } as const;
const pids = 1024;

/** What the engine is told of a sandbox. Rejects with `invalid` where no program of ours runs on the platform. */
export async function sandboxSpec(
  deps: Pick<SandboxDeps, 'machines' | 'installation' | 'egressOf' | 'folder'>,
  sandbox: Sandbox,
  wanted: NewSandbox,
  image: Pick<PreparedImage, 'id' | 'platform'>,
): Promise<InstanceSpec> {
  const { machines, installation, egressOf, folder } = deps;
  const { id, projectId, createdAt, spec } = sandbox;
  const machine = machines.byName.get(spec.machineType)!;
  const keeps = wanted.process === 'wait';
  return {
    instanceId: id,
    labels: {
      ...{ installation, kind: 'sandbox', teamId: wanted.team.id, projectId, deploymentId: id },
      ...{ service: 'sandbox', fingerprint: '', createdAt },
    },
    image: image.id,
    command: keeps ? [keeperPath] : undefined,
    args: undefined,
    env: wanted.env,
    ...{ cpus: machine.cpus, memory: machine.memory, gpu: machine.gpu, pids },
    disk: diskBytes[wanted.diskSize ?? '512MB'],
    mounts: [],
    network: { projectId, egress: egressOf?.(projectId) ?? 'public' },
    files: keeps ? [{ path: keeperPath, source: await writeKeeper(folder, image.platform) }] : [],
    hostname: 'sandbox',
  };
}

async function writeKeeper(under: string, platform: string): Promise<string> {
  const architecture = platform.split('/')[1] ?? '';
  const program = keeperProgram(architecture);
  if (!program) {
    throw refuse(
      'invalid',
      `There is no program that waits for ${platform}.`,
      'Let the sandbox run the image\'s own: "process": "image".',
    );
  }
  const folder = resolve(under);
  const file = join(folder, `keep-${architecture}`);
  await mkdir(folder, { recursive: true });
  // In the old one's place: a file that runs cannot be written to.
  const next = `${file}.${crypto.randomUUID()}`;
  await writeFile(next, program);
  await chmod(next, 0o555);
  await rename(next, file);
  return file;
}
