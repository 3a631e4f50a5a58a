import type { Issuer } from '../../auth/issuer.ts';
import type { PolicySimulator } from '../../auth/policy-simulator.ts';
import type { Sealer } from '../../auth/sealer.ts';
import type { SignIn } from '../../auth/sign-in.ts';
import type { TokenExchange } from '../../auth/token-exchange.ts';
import type { EventLog } from '../../events/event-log.ts';
import type { Followers } from '../../events/followers.ts';
import type { WebhookService } from '../../events/webhook-service.ts';
import type { Forwarder } from '../../gateway/forwarding/forwarder.ts';
import type { Collector } from '../../maintenance/collector.ts';
import type { Retainer } from '../../maintenance/retainer.ts';
import type { CollectionPlanner } from '../../ports/collection-plan.ts';
import type { ScrubControl } from '../../ports/scrub.ts';
import type { Admin } from '../../projects/admin.ts';
import type { ImageIntake } from '../../registry/archives/intake.ts';
import type { ImageInspector } from '../../registry/inspect.ts';
import type { LiveRecords } from '../../scheduler/records/open-records.ts';
import type { Services } from '../services.ts';
import type { SessionCookies } from '../session-cookies.ts';
import type { Cursors } from './cursor.ts';
import type { FunctionServices } from './function-services.ts';
import type { Idempotency } from './idempotency.ts';
import type { Principals } from './principal.ts';
import type { RuntimeServices } from './runtime-services.ts';

/** What the API's handlers call, beside the registry's services. Made in compose.ts. */
export interface ApiServices extends Services {
  readonly admin: Admin;
  readonly tokenExchange: TokenExchange;
  /** To be told of open uploads that went with a repository: their bytes are to be removed. */
  readonly discarded: () => void;
  readonly inspector: ImageInspector;
  readonly issuer: Issuer;
  readonly simulator: PolicySimulator;
  readonly cookies: SessionCookies;
  /** Undefined: people sign in with tokens alone. */
  readonly signIn: SignIn | undefined;
  readonly principals: Principals;
  readonly cursors: Cursors;
  readonly idempotency: Idempotency;
  /** Of what is kept for later: secrets and variables. */
  readonly sealer: Sealer;
  readonly events: EventLog;
  readonly followers: Followers;
  readonly imageIntake: ImageIntake;
  readonly webhooks: WebhookService;
  readonly collector: Collector;
  readonly retainer: Retainer;
  readonly collectionPlans: CollectionPlanner;
  readonly scrub: ScrubControl;
  /** What functions do now; what they did is in the stores. Undefined: none run here. */
  readonly records?: LiveRecords | undefined;
  /** To the replica that runs functions. Undefined: there is one process alone. */
  readonly forwarder?: Pick<Forwarder, 'request'> | undefined;
  /** Undefined: nothing runs here. */
  readonly functions?: FunctionServices | undefined;
  /** Undefined: no functions here. */
  readonly runtime?: RuntimeServices | undefined;
}
