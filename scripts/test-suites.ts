/** A check is one program that passes or not; a suite of tests is files for `node --test`. */
export type Suite = CheckSuite | FileSuite;

interface Common {
  readonly name: string;
  readonly about: string;
  /** Minutes that it may take where CI runs, on two cores; more is told in the summary (CONTRIBUTING.md lists them). */
  readonly budget: number;
  /** Minutes after which it is ended and counted as failed. */
  readonly limit: number;
  /** Why `--quick` leaves it out. */
  readonly notQuick?: string;
}

export interface CheckSuite extends Common {
  readonly kind: 'check';
  /** A JavaScript or TypeScript program of the checkout, and its arguments. */
  readonly program: readonly string[];
}

export interface FileSuite extends Common {
  readonly kind: 'files';
  readonly files: readonly string[];
  /** Files that run at once; one for suites whose programs share a machine's engine. */
  readonly atOnce: number;
  /** Of `files`, what `--quick` leaves out, and why. */
  readonly slow?: { readonly files: readonly string[]; readonly why: string };
  /** Programs of conformance/tools that are built before it, unless `--quick`. */
  readonly tools?: readonly string[] | 'all';
  /** What Gantry is made of there (conformance/topologies). `any`: --topology may say; the files know a default. */
  readonly topology?: string;
  /** Runs before all files and after them: one Gantry for all files. */
  readonly setup?: string;
  /** What it leaves out, and how that is run by hand. */
  readonly byHand?: string;
}

const setup = 'conformance/topologies/setup.ts';

/** The specification, and the clients that are quickest, on another topology. */
function onTopology(name: string, topology: string, about: string): FileSuite {
  return {
    kind: 'files',
    name,
    about,
    files: ['conformance/spec/*.test.ts', 'conformance/clients/{crane,skopeo,docker-29}.test.ts'],
    ...{ topology, setup, atOnce: 2, budget: 1.5, limit: 10, tools: 'all' },
    byHand: `all clients and the official program: npm test -- --topology ${topology} --only clients,official`,
    notQuick: `takes a minute: run npm test, or npm test -- --only ${name}`,
  };
}

const crashes = 'kill|power-cut|first-start|events';

/** In the order in which they run: what is quick to tell comes first. */
export const suites: readonly Suite[] = [
  {
    kind: 'check',
    name: 'lint',
    about: 'format and lint (biome)',
    program: ['node_modules/@biomejs/biome/bin/biome', 'ci', '--colors=off'],
    budget: 0.5,
    limit: 3,
  },
  {
    kind: 'check',
    name: 'types',
    about: 'types (tsc)',
    program: ['node_modules/typescript/bin/tsc', '--noEmit', '--pretty', 'false'],
    budget: 0.5,
    limit: 5,
  },
  {
    kind: 'check',
    name: 'check-deps',
    about: 'arrows between folders point one way',
    program: ['scripts/check-deps.ts'],
    budget: 0.2,
    limit: 1,
  },
  {
    kind: 'check',
    name: 'check-size',
    about: 'no source file over 300 lines',
    program: ['scripts/check-size.ts'],
    budget: 0.2,
    limit: 1,
  },
  {
    kind: 'files',
    name: 'unit',
    about: 'what lies beside the source',
    files: ['src/**/*.test.ts', 'scripts/**/*.test.{ts,mjs}', 'conformance/tools/**/*.test.ts'],
    slow: {
      files: [
        'scripts/{bootstrap.test.mjs,run-suite.test.ts}',
        'src/auth/{key-ring,key-rings,oidc-verifier}.test.ts',
        'src/cli/live.test.ts',
        'src/events/{audit-log,relay,webhook-sender}.test.ts',
        'src/http/{deploying-push,instance-identity,issuer,oauth-endpoints,operations}.test.ts',
        'src/http/{pull-credentials,rate-limits,sessions,simulate-policies,token-endpoint}.test.ts',
        'src/http/api/{routes,uploads}/**/*.test.ts',
        'src/http/api/*-stream.test.ts',
        'src/maintenance/{last-use,leader,measure*,scrubber*,sweeper}.test.ts',
        'src/projects/{admin,first-start}.test.ts',
        'src/registry/{claim-table,image-configs,open-uploads,transfer-meter}.test.ts',
        'src/scheduler/{invoke,records}/*.test.ts',
      ],
      why: 'starts a server, a process or a database for each test, or waits: npm test -- --only unit',
    },
    atOnce: 2,
    budget: 4.5,
    limit: 20,
  },
  {
    kind: 'files',
    name: 'contract',
    about: 'every adapter against its port',
    files: ['storage-adapters/**/*.test.ts'],
    slow: {
      files: [
        'storage-adapters/blobs/s3/*.test.ts',
        'storage-adapters/blobs/memory.test.ts',
        'storage-adapters/metadata/postgres.test.ts',
        'storage-adapters/metadata/migrations/*.test.ts',
        'storage-adapters/metadata/rows/rows.test.ts',
      ],
      why: 'runs Postgres, or S3 servers that fail: npm test -- --only contract',
    },
    atOnce: 2,
    budget: 3,
    limit: 20,
    tools: ['versitygw'],
  },
  {
    kind: 'files',
    name: 'spec',
    about: 'the distribution-spec by section, fuzz',
    files: ['conformance/{spec,fuzz}/**/*.test.ts'],
    ...{ topology: 'any', setup },
    slow: { files: ['conformance/fuzz/*.test.ts'], why: 'takes a while: npm test -- --only spec' },
    atOnce: 2,
    budget: 0.5,
    limit: 20,
    tools: ['versitygw'],
  },
  {
    kind: 'files',
    name: 'attacks',
    about: 'what must be refused, and what must be survived',
    files: ['conformance/attacks/**/*.test.ts'],
    slow: {
      files: [
        'conformance/attacks/route-matrix/*.test.ts',
        'conformance/attacks/!(bad-input|login|manifests|names-and-digests).test.ts',
      ],
      why: 'starts servers of its own, or waits: npm test -- --only attacks',
    },
    atOnce: 2,
    budget: 4.5,
    limit: 30,
  },
  {
    kind: 'files',
    name: 'api',
    about: 'the API as its OpenAPI document says (schemathesis)',
    files: ['conformance/api/**/*.test.ts'],
    atOnce: 1,
    budget: 4.5,
    limit: 15,
    tools: ['python'],
    notQuick: 'schemathesis asks for three minutes: run npm test, or npm test -- --only api',
  },
  {
    kind: 'files',
    name: 'official',
    about: "the OCI project's own program, where OCI_CONFORMANCE names it",
    files: ['conformance/official/**/*.test.ts'],
    topology: 'any',
    atOnce: 1,
    budget: 4,
    limit: 20,
  },
  {
    kind: 'files',
    name: 'clients',
    about: 'docker, buildx, skopeo, crane … against a real server',
    files: ['conformance/clients/**/*.test.ts'],
    topology: 'any',
    atOnce: 1,
    budget: 4,
    limit: 60,
    tools: 'all',
    notQuick: 'real clients take minutes: run npm test, or npm test -- --only clients',
  },
  onTopology('on-workers', 'filesystem+sqlite+workers', 'spec and clients on two processes'),
  onTopology('on-s3', 's3+sqlite', 'spec and clients with blobs on S3'),
  onTopology(
    'on-postgres',
    'filesystem+postgres',
    'spec and clients with the database in Postgres',
  ),
  onTopology(
    'on-replicas',
    's3+postgres+replicas',
    'spec and clients on two replicas behind nginx, each request to the next',
  ),
  {
    kind: 'files',
    name: 'crashes',
    about: 'kill -9 and power cuts, a hundred and more',
    files: [`conformance/faults/**/@(${crashes}).test.ts`],
    // Each waits for its server half of the time, and measures nothing.
    atOnce: 2,
    budget: 6,
    limit: 30,
    tools: 'all',
    notQuick: 'crashes take minutes: run npm test, or npm test -- --only crashes',
  },
  {
    kind: 'files',
    name: 'faults',
    about: 'broken S3, full disks, memory, stops and restarts, backups',
    files: [`conformance/faults/**/!(${crashes}).test.ts`],
    // The longest collects for two minutes in one thread; the others wait for servers, time limits and disks.
    atOnce: 2,
    budget: 5.5,
    limit: 60,
    tools: 'all',
    notQuick: 'faults take minutes: run npm test, or npm test -- --only faults',
  },
  {
    kind: 'files',
    name: 'replicas',
    about: 'two replicas on Postgres and S3 behind nginx, and what ends one of them',
    files: ['conformance/replicas/**/*.test.ts'],
    atOnce: 1,
    budget: 3.5,
    limit: 15,
    tools: ['versitygw', 'compose', 'docker-cli', 'moby', 'containerd', 'runc'],
    notQuick: 'takes minutes: run npm test, or npm test -- --only replicas',
  },
  {
    kind: 'files',
    name: 'workers',
    about: 'several processes of one server on one data folder, and what ends one of them',
    files: ['conformance/workers/**/*.test.ts'],
    atOnce: 1,
    budget: 1.5,
    limit: 15,
    tools: 'all',
    notQuick: 'takes a minute: run npm test, or npm test -- --only workers',
  },
  {
    kind: 'files',
    name: 'functions',
    about: 'pushed images answer HTTP, on real container engines',
    files: ['conformance/functions/**/*.test.ts'],
    // Each has an engine and a network of its own, and waits for them most of the time.
    atOnce: 2,
    budget: 15,
    limit: 45,
    tools: 'all',
    notQuick: 'container engines take minutes: run npm test, or npm test -- --only functions',
  },
];
