/**
 * An engine as on another machine: network, processes, mounts and cgroups of its own, reached by TCP with TLS and
 * client certificates. The server runs on this machine, and the folder of its data is not seen by the engine.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Sandbox } from '../../clients/support/sandbox.ts';
import { firstObstacle } from '../../clients/support/suite.ts';
import { type Authority, makeAuthority, needsOpenssl } from './certificates.ts';
import { type DockerRelease, type FunctionEngine, startFunctionEngine } from './engine.ts';
import { makeNetwork, type Network } from './network.ts';

export interface RemoteEngine {
  readonly engine: FunctionEngine;
  /** Of the engine's certificate, and of clients that it knows. */
  readonly authority: Authority;
  /** Another authority. */
  certificates(name: string): Authority;
  /** `tcp://address:port`, as seen from this machine. */
  readonly host: string;
  /** For the server's data: the engine has another there, which is empty. */
  readonly folder: string;
  /** How a server finds it. */
  readonly env: Readonly<Record<string, string>>;
  /** As `startFunctionsGantry` takes it: this machine, at the address that the engine reaches. */
  readonly here: Network;
  /** A way from this machine to instances: the operator's part. Gone with the engine's network. */
  route(range: string): void;
}

const port = 2376;

export function remoteObstacle(): string | undefined {
  const own = ['--mount', '--pid', '--fork', '--mount-proc', '--cgroup', 'true'];
  const { status, stderr } = spawnSync('unshare', own, { encoding: 'utf8' });
  return firstObstacle(
    needsOpenssl(),
    status === 0 ? undefined : `no namespaces for an engine: ${stderr?.trim() ?? ''}`,
  );
}

export async function startRemoteEngine(
  release: DockerRelease,
  sandbox: Sandbox,
): Promise<RemoteEngine> {
  const network = await makeNetwork();
  const authority = makeAuthority(sandbox.fresh('certificates'));
  const server = authority.issue('server', 'server', [`IP:${network.address}`]);
  const client = authority.issue('client', 'client');
  const folder = sandbox.fresh('elsewhere');
  const engine = await startFunctionEngine(release, sandbox, {
    network,
    args: [
      ...['-H', `tcp://127.0.0.1:${port}`, '--tlsverify', '--tlscacert', join(server, 'ca.pem')],
      ...['--tlscert', join(server, 'cert.pem'), '--tlskey', join(server, 'key.pem')],
      ...(release.name.includes('20.10') ? [] : ['--allow-direct-routing']),
    ],
    endsBy: 'SIGKILL',
    within: (program, args) => ({
      program: 'unshare',
      args: [
        ...['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--cgroup'],
        ...['sh', '-c', 'mount -t tmpfs hidden "$1" && shift && exec "$@"', 'sh'],
        ...[folder, program, ...args],
      ],
    }),
  });
  const host = `tcp://${network.address}:${port}`;
  return {
    engine,
    authority,
    certificates: (name) => makeAuthority(sandbox.fresh(name)),
    host,
    folder,
    env: {
      GANTRY_DOCKER_HOST: host,
      DOCKER_TLS_VERIFY: '1',
      DOCKER_CERT_PATH: client,
      GANTRY_HOST: network.hostAddress,
    },
    here: {
      ...network,
      address: network.hostAddress,
      inside: (program, args) => ({ program, args: [...args] }),
    },
    route(range) {
      const { status, stderr } = spawnSync('ip', ['route', 'add', range, 'via', network.address], {
        encoding: 'utf8',
      });
      if (status !== 0) throw new Error(`no route: ${stderr}`);
      // What the engine's own rules would drop.
      network.run(
        'iptables',
        '-w',
        '-I',
        'DOCKER-USER',
        '-s',
        network.hostAddress,
        '-d',
        range,
        '-j',
        'ACCEPT',
      );
    },
  };
}
