import type { IncomingMessage } from 'node:http';
import type { Identity } from '../ports/identity.ts';
import type { ApiServices } from './api/api-services.ts';
import { toErrorInfo } from './errors.ts';

/** Runs what signs a browser in, and writes into the audit log who it was, or why not. */
export async function recordingSignIn<T extends { readonly identity: Identity }>(
  services: Pick<ApiServices, 'audit' | 'metrics' | 'origins' | 'limits'>,
  req: IncomingMessage,
  kind: 'session' | 'provider',
  work: () => Promise<T>,
): Promise<T> {
  const { audit, metrics, origins, limits } = services;
  const record = (
    identity: Pick<Identity, 'id' | 'actor' | 'kind'>,
    result: string,
    reason?: string,
  ) => {
    metrics.login(kind, result === 'ok');
    audit.record({
      ...{ identity, address: origins.clientAddress(req), action: 'signIn', target: kind },
      ...{ result, reason },
    });
  };
  try {
    const done = await limits.loggingIn(undefined, origins.clientAddress(req), kind, work);
    record(done.identity, 'ok');
    return done;
  } catch (error) {
    const { kind: result, message } = toErrorInfo(error);
    record({ id: 'anonymous', kind: 'anonymous', actor: 'anonymous' }, result, message);
    throw error;
  }
}
