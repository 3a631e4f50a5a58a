import type { DeploymentReason } from '../../ports/functions.ts';
import type { RuntimeError, RuntimeFailure } from '../../ports/runtime-driver.ts';
import { refusalCode } from '../refusal-codes.ts';

/** A deployment that cannot run, and why: its state is `failed` then. */
export class DeployRefusal extends Error {
  readonly reason: DeploymentReason;
  constructor(
    code: string,
    message: string,
    hint: string,
    options: ErrorOptions & { logs?: readonly string[] | undefined } = {},
  ) {
    super(message, options);
    const { logs } = options;
    this.reason = {
      code: refusalCode(code),
      message,
      hint,
      ...(logs && logs.length > 0 && { logs }),
    };
  }
}

export function functionsOff(): DeployRefusal {
  return new DeployRefusal(
    'FUNCTIONS_OFF',
    'Functions are off for this project or its team.',
    'Turn them on in the settings of the project or the team, and deploy again.',
  );
}

export function serviceGone(): DeployRefusal {
  return new DeployRefusal(
    'SERVICE_DELETED',
    'The service was deleted meanwhile.',
    'Push again: a push to a repository without a service makes one.',
  );
}

export function imageGone(repository: string, digest: string): DeployRefusal {
  return new DeployRefusal(
    'IMAGE_DELETED',
    `The repository ${repository} holds no image ${digest}.`,
    'Push it again.',
  );
}

export function notPublic(repository: string): DeployRefusal {
  return new DeployRefusal(
    'IMAGE_NOT_PUBLIC',
    `The image of ${repository} is another team's, and that repository is not public.`,
    'Push the image to a repository of this team, or ask that team to make theirs public.',
  );
}

export function unguarded(repository: string): DeployRefusal {
  return new DeployRefusal(
    'NO_NETWORK_GUARD',
    `The image of ${repository} is another team's, and on this host nothing keeps functions from its private networks.`,
    'Ask the operator to start the network guard: the log of Gantry has the line.',
  );
}

export function noSuchPlatform(found: readonly string[], host: readonly string[]): DeployRefusal {
  const platform = host[0] ?? 'linux/amd64';
  const what =
    found.length === 1
      ? `The image is for ${found[0]}`
      : `The index has images for ${found.join(', ') || 'no platform'}`;
  return new DeployRefusal(
    'NO_SUCH_PLATFORM',
    `${what}; this host runs ${host.join(', ')}.`,
    `Build it with: docker build --platform ${platform} -t IMAGE . and check it with: docker inspect --format '{{.Os}}/{{.Architecture}}' IMAGE`,
  );
}

export function flaggedLayer(digest: string, reason: string | undefined): DeployRefusal {
  return new DeployRefusal(
    'LAYER_FLAGGED',
    `The layer ${digest} is not what its media type says${reason ? `: ${reason}` : ''}. Such an image can be pulled, but is not run.`,
    'Build and push the image again.',
  );
}

export function tooLarge(
  size: string,
  limit: string,
  machine: { name: string; gpu: boolean },
): DeployRefusal {
  return new DeployRefusal(
    'IMAGE_TOO_LARGE',
    `The image is ${size} uncompressed; on ${machine.gpu ? 'a GPU machine type' : `the machine type ${machine.name}`} it may be ${limit}.`,
    'Make it smaller: a multi-stage build leaves compilers and caches out, a volume holds models and data.',
  );
}

export function noSuchMachine(problem: string, available: readonly string[]): DeployRefusal {
  return new DeployRefusal(
    'NO_SUCH_MACHINE_TYPE',
    problem,
    `Set machineType to one that this host can run: ${available.join(', ') || 'it can run none'}.`,
  );
}

export function noSuchSecret(name: string, variable: string): DeployRefusal {
  return new DeployRefusal(
    'NO_SUCH_SECRET',
    `The project has no secret "${name}", which ${variable} is to have.`,
    `Set it, and deploy again: PUT …/secrets/${name}`,
  );
}

export function noSuchVolume(name: string): DeployRefusal {
  return new DeployRefusal(
    'NO_SUCH_VOLUME',
    `The project has no volume "${name}".`,
    'Create it, and deploy again: POST …/volumes',
  );
}

export function noBucketVolumes(name: string): DeployRefusal {
  return new DeployRefusal(
    'NO_BUCKET_VOLUMES',
    `The volume "${name}" is a bucket, and this host can mount none.`,
    'Use a disk volume, or ask the operator to install rclone and FUSE on the host.',
  );
}

export function engineMissing(missing: readonly string[]): DeployRefusal {
  return new DeployRefusal(
    'NO_ENGINE',
    `This host runs no functions: ${missing[0] ?? 'it has no container engine.'}`,
    [...missing.slice(1), 'Once it is there, deploy again.'].join(' '),
  );
}

export function engineAway(cause: string): DeployRefusal {
  return new DeployRefusal(
    'ENGINE_UNAVAILABLE',
    `The container engine could not be reached: ${cause}`,
    'Ask the operator to look after it, and deploy again.',
  );
}

export function internalFailure(cause: unknown): DeployRefusal {
  return new DeployRefusal(
    'DEPLOYMENT_FAILED',
    'The deployment failed for a reason that is not its own.',
    'Deploy it again; the operator finds the cause in the log of Gantry.',
    { cause },
  );
}

const hints: Partial<Record<RuntimeFailure, string>> = {
  'no-such-platform':
    "Build it with: docker build --platform linux/amd64 -t IMAGE . and check it with: docker inspect --format '{{.Os}}/{{.Architecture}}' IMAGE",
  'no-such-image': 'Push it again.',
  'pull-failed': 'Deploy it again. Where that does not help, push the image again.',
  'volume-full': 'Raise its maxBytes, delete what is not needed, and lower it again.',
  'disk-full': 'Ask the operator to make room on the disk of the container engine.',
};

/** What the driver refused. */
export function runtimeRefusal(error: RuntimeError): DeployRefusal {
  return new DeployRefusal(
    error.failure,
    error.message,
    hints[error.failure] ?? 'Deploy it again.',
    { cause: error },
  );
}
