/** What a Gantry under test is made of: the same suites run on each. */
import { nginxObstacle } from '../tools/nginx.ts';
import { postgresObstacle } from '../tools/postgres.ts';
import { findVersitygw } from '../tools/versitygw.ts';

export interface Topology {
  /** As GANTRY_TEST_TOPOLOGY and `npm test -- --topology` take it. */
  readonly name: string;
  /** Where blobs are: in files, or on an S3 server. */
  readonly blobs: 'folder' | 's3';
  readonly database: 'sqlite' | 'postgres';
  /** Several are behind nginx, which gives each request to the next. */
  readonly replicas: 1 | 2;
  /** More settings of each server. */
  readonly settings?: Readonly<Record<string, string>>;
}

export const topologies: readonly Topology[] = [
  { name: 'filesystem+sqlite', blobs: 'folder', database: 'sqlite', replicas: 1 },
  {
    ...{ name: 'filesystem+sqlite+workers', blobs: 'folder', database: 'sqlite', replicas: 1 },
    settings: { GANTRY_WORKERS: '2' },
  },
  { name: 's3+sqlite', blobs: 's3', database: 'sqlite', replicas: 1 },
  { name: 'filesystem+postgres', blobs: 'folder', database: 'postgres', replicas: 1 },
  { name: 's3+postgres+replicas', blobs: 's3', database: 'postgres', replicas: 2 },
];

/** Throws an `Error` fit to print where there is none of that name. */
export function topologyNamed(name: string): Topology {
  const found = topologies.find((one) => one.name === name);
  if (found) return found;
  const known = topologies.map((one) => one.name).join(', ');
  throw new Error(`there is no topology "${name}"; there are ${known}`);
}

/** The one that GANTRY_TEST_TOPOLOGY names, else the first: what `npm start` starts. */
export function chosenTopology(): Topology {
  const name = process.env.GANTRY_TEST_TOPOLOGY;
  return name ? topologyNamed(name) : topologies[0]!;
}

/** Why it cannot be had here; undefined where it can. */
export function topologyObstacle(topology: Topology): string | undefined {
  const store = topology.blobs === 's3' ? findVersitygw() : undefined;
  return (
    (topology.database === 'postgres' ? postgresObstacle() : undefined) ??
    (topology.replicas > 1 ? nginxObstacle() : undefined) ??
    (store && 'missing' in store ? store.missing : undefined)
  );
}
