import { envName, settingNames } from './schema.ts';
import type { GivenSettings, Settings } from './validate.ts';

/** What is wrong between settings that are each right alone: one sentence a problem. */
export function relationProblems(settings: Settings, given: GivenSettings): string[] {
  return [
    ...tls(settings),
    ...sharedKey(settings),
    ...unusedS3(settings, given),
    ...redirectHost(settings),
    ...signIn(settings),
    ...functionNetworks(settings),
  ];
}

function* tls({ tlsCert, tlsKey }: Settings): Generator<string> {
  if ((tlsCert === undefined) === (tlsKey === undefined)) return;
  const [has, lacks] = tlsCert ? ['tlsCert', 'tlsKey'] : ['tlsKey', 'tlsCert'];
  yield `${envName(has)} is set without ${envName(lacks)}: set both for HTTPS, or neither.`;
}

/** A key that each replica made for itself would leave the others unable to read what it sealed. */
function* sharedKey({ databaseUrl, secretKey }: Settings): Generator<string> {
  if (databaseUrl === undefined || secretKey !== undefined) return;
  yield 'GANTRY_DATABASE_URL is set without GANTRY_SECRET_KEY: set the same key for every replica. Make one: openssl rand -hex 32';
}

/** An S3 setting without S3 is most likely a forgotten line, and blobs would land on the disk. */
function* unusedS3({ storage }: Settings, given: GivenSettings): Generator<string> {
  const used = settingNames.filter((name) => name.startsWith('s3') && given[name] !== undefined);
  if (storage !== 'filesystem' || used.length === 0) return;
  yield `${used.map(envName).join(', ')} set, but GANTRY_STORAGE is filesystem: set GANTRY_STORAGE=s3://bucket/prefix, or unset them.`;
}

/**
 * Go's HTTP client, in docker and others, sends Authorization along on a redirect to the same host name,
 * whatever the port, and to names below it.
 */
function* redirectHost({ publicUrl, s3PublicEndpoint, s3Redirect }: Settings): Generator<string> {
  if (!publicUrl || !s3PublicEndpoint || !s3Redirect) return;
  const registry = new URL(publicUrl).hostname;
  const store = new URL(s3PublicEndpoint).hostname;
  if (store !== registry && !store.endsWith(`.${registry}`)) return;
  yield `GANTRY_S3_PUBLIC_ENDPOINT is on ${store} and GANTRY_PUBLIC_URL on ${registry}: clients would send their credentials along with the redirect. Use an unrelated host name for the store, or set GANTRY_S3_REDIRECT=off.`;
}

function* signIn(settings: Settings): Generator<string> {
  const { signinIssuer, signinClientId, signinClientSecret, signinAllow } = settings;
  const given = [signinIssuer, signinClientId, signinClientSecret, signinAllow[0]];
  if (given.every((one) => one === undefined)) return;
  if (signinIssuer !== undefined && signinClientId !== undefined) return;
  yield 'Signing in at a provider needs GANTRY_SIGNIN_ISSUER and GANTRY_SIGNIN_CLIENT_ID: set both, or unset all GANTRY_SIGNIN_… settings.';
}

function* functionNetworks({ functionsNetwork, functionsSubnet }: Settings): Generator<string> {
  const bits = Number(functionsNetwork.split('/')[1]);
  if (bits >= 8 && bits <= functionsSubnet) return;
  yield `GANTRY_FUNCTIONS_NETWORK is ${functionsNetwork}, and each project's network a /${functionsSubnet} of it: give a range from /8 to /${functionsSubnet}.`;
}
