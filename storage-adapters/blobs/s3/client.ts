import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import type { S3Settings } from './options.ts';

export interface S3Clients {
  /** For requests that move bytes or answer at once: given up after a silence. */
  readonly quick: S3Client;
  /** For requests whose answer may rest on purpose: a body that its reader takes slowly, parts that are joined. */
  readonly patient: S3Client;
  /** Signs URLs for clients; sends nothing. */
  readonly signer: S3Client | undefined;
}

const connectionTimeout = 5_000;

export function createClients(settings: S3Settings): S3Clients {
  const shared: S3ClientConfig = {
    region: settings.region ?? 'us-east-1',
    forcePathStyle: settings.forcePathStyle,
    maxAttempts: settings.maxAttempts,
    // Each part would wait for a round trip on a new connection, to save bytes on the rare refusal.
    expectContinueHeader: false,
    // Clients check SHA-256 by themselves; the SDK's check costs a pass over each body.
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(settings.endpoint === undefined ? {} : { endpoint: settings.endpoint }),
    ...(settings.credentials === undefined ? {} : { credentials: settings.credentials }),
  };
  const agents = { httpAgent: { maxSockets: 512 }, httpsAgent: { maxSockets: 512 } };
  const quick = new S3Client({
    ...shared,
    requestHandler: { connectionTimeout, socketTimeout: settings.idleTimeout, ...agents },
  });
  const patient = new S3Client({
    ...shared,
    requestHandler: {
      connectionTimeout,
      socketTimeout: 0,
      requestTimeout: settings.idleTimeout,
      throwOnRequestTimeout: true,
      ...agents,
    },
  });
  for (const client of [quick, patient]) leaveBodiesUnsigned(client);
  const signer =
    settings.redirect && settings.publicEndpoint !== undefined
      ? new S3Client({ ...shared, endpoint: settings.publicEndpoint })
      : undefined;
  return { quick, patient, signer };
}

/**
 * Signs the request but not a SHA-256 of its body: the registry hashes each byte once, and a second hash
 * is half the cost of an upload. The body is covered by the checksum that the SDK sends and S3 checks
 * (CRC-32, unless AWS_REQUEST_CHECKSUM_CALCULATION says otherwise), and by TLS.
 */
function leaveBodiesUnsigned(client: S3Client): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const request = args.request as { body?: unknown; headers: Record<string, string> };
      if (Buffer.isBuffer(request.body))
        request.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      return next(args);
    },
    { step: 'build', name: 'leaveBodiesUnsigned' },
  );
}
