import { createServer } from 'node:net';

/**
 * Whether the system shares a port's connections among processes (SO_REUSEPORT). Else the primary takes them and hands
 * each on (node:cluster), at the price that one on its way to a worker that is killed is never answered.
 */
export const sharesPorts = process.platform === 'linux';

/** The port, or a free one for 0. Rejects where another program has it, which a shared port would not show. */
export function claimPort(host: string, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const server = createServer();
  server.once('error', reject);
  server.listen({ port, host, exclusive: true }, () => {
    const { port: taken } = server.address() as { port: number };
    server.close(() => resolve(taken));
  });
  return promise;
}
