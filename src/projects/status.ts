import type { Config } from '../config/config.ts';
import { version } from '../config/version.ts';
import type { AdminStatus } from './admin-methods.ts';

/** What runs, as the admin commands show it; without `startedAt`, nothing does. */
export function statusOf(
  config: Config,
  url: string,
  startedAt?: number,
  unknownVolumes?: number,
): AdminStatus {
  return {
    version,
    url,
    running: startedAt !== undefined,
    pid: process.pid,
    ...(startedAt !== undefined && { startedAt }),
    data: config.data,
    storage: config.storage.type,
    database: config.databaseUrl === undefined ? 'sqlite' : 'postgres',
    ...(unknownVolumes !== undefined && { unknownVolumes }),
  };
}
