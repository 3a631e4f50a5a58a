import type { InstanceSpec } from '../../ports/runtime-driver.ts';
import { label, writeLabels } from './labels.ts';
import type { EngineMount } from './volumes.ts';

const MB = 1 << 20;

/**
 * What a container keeps of root's powers: what images need that start as root, prepare their files, bind
 * port 80 and drop to another user (nginx, postgres and all that use gosu, su-exec or setpriv). Of Docker's own
 * default list these are left out: NET_RAW (forged packets between neighbours), MKNOD (devices), SYS_CHROOT,
 * SETFCAP (capabilities on files), SETPCAP and AUDIT_WRITE, since no server needs them.
 */
export const keptCapabilities = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'NET_BIND_SERVICE',
  'SETGID',
  'SETUID',
] as const;

export interface PlacedSpec {
  readonly spec: InstanceSpec;
  /** The engine's name of it. */
  readonly network: string;
  readonly mounts: readonly EngineMount[];
  /** Whether the engine itself limits the writable layer. */
  readonly diskQuota: boolean;
  /** Name servers; none: the host's. */
  readonly dns: readonly string[];
  readonly gpus: { readonly uuids: readonly string[]; readonly request: object } | undefined;
  /** Whether the engine sees this machine's files: else they are copied into the container (copied-files.ts). */
  readonly local: boolean;
}

/** The body of `POST /containers/create`. */
export function containerSpec(placed: PlacedSpec): object {
  const { spec, network, mounts, diskQuota, dns, gpus, local } = placed;
  const files = (local ? spec.files : []).map(
    ({ path, source }): EngineMount => ({
      Type: 'bind',
      Source: source,
      Target: path,
      ReadOnly: true,
    }),
  );
  return {
    Image: spec.image,
    Hostname: spec.hostname,
    Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    ...processOf(spec),
    Tty: false,
    OpenStdin: false,
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    // Whatever the image says: an end is announced by SIGTERM.
    StopSignal: 'SIGTERM',
    // An image's health check would run commands all the time, even in idle instances.
    Healthcheck: { Test: ['NONE'] },
    Labels: {
      ...writeLabels(spec.instanceId, spec.labels),
      [label.disk]: String(spec.disk),
      // Also where it has none: an image's own label of that name would count.
      [label.gpus]: gpus?.uuids.join(',') ?? '',
      [label.files]: local ? '' : JSON.stringify(spec.files),
    },
    HostConfig: {
      NetworkMode: network,
      ...(dns.length > 0 ? { Dns: dns } : {}),
      Mounts: [...files, ...mounts],
      Privileged: false,
      PublishAllPorts: false,
      RestartPolicy: { Name: 'no' },
      CapDrop: ['ALL'],
      CapAdd: keptCapabilities,
      SecurityOpt: ['no-new-privileges'],
      IpcMode: 'private',
      CgroupnsMode: 'private',
      NanoCpus: Math.round(spec.cpus * 1e9),
      Memory: spec.memory,
      // The same: no swap.
      MemorySwap: spec.memory,
      PidsLimit: spec.pids,
      // Where the machine itself runs out of memory, an instance goes before Gantry and the engine do.
      OomScoreAdj: 500,
      // Open files stay at the engine's own limit: one that raises it does not start where the engine may not.
      Ulimits: [{ Name: 'core', Soft: 0, Hard: 0 }],
      LogConfig: { Type: 'json-file', Config: { 'max-size': `${8 * MB}`, 'max-file': '2' } },
      ...(diskQuota ? { StorageOpt: { size: String(spec.disk) } } : {}),
      ...(gpus ? { DeviceRequests: [gpus.request] } : {}),
    },
    NetworkingConfig: { EndpointsConfig: { [network]: {} } },
  };
}

/** As OCI images have it: a command is the entrypoint and clears the image's arguments, unless there are own ones. */
function processOf(spec: InstanceSpec): {
  Entrypoint?: readonly string[];
  Cmd?: readonly string[];
} {
  const { command, args } = spec;
  return {
    ...(command ? { Entrypoint: command, Cmd: args ?? [] } : {}),
    ...(!command && args ? { Cmd: args } : {}),
  };
}
