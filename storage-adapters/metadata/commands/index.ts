import type { CommandName } from '../../../src/ports/commands.ts';
import type { Fence } from '../../../src/ports/leases.ts';
import type { Executor } from '../database.ts';
import * as accounts from './accounts.ts';
import { appendAudit } from './audit.ts';
import { linkBlob, recordMeasure, unlinkBlob } from './blobs.ts';
import * as collection from './collection.ts';
import type { Command } from './command.ts';
import { deleteManifest, deleteTag } from './delete-manifest.ts';
import { deleteProject } from './delete-project.ts';
import { deleteRepository } from './delete-repository.ts';
import * as deployments from './deployments.ts';
import * as domains from './domains.ts';
import * as functionRecords from './function-records.ts';
import { beginIdempotent, endIdempotent } from './idempotency.ts';
import { setProjectRules, setRepositoryRules } from './image-rules.ts';
import * as invocations from './invocations.ts';
import * as keys from './keys.ts';
import { acquireLease, checkFence, releaseLease } from './leases.ts';
import { putMember, removeMember } from './members.ts';
import * as pointers from './pointers.ts';
import { pruneDeployments } from './prune-deployments.ts';
import { pruneAudit, pruneEvents } from './prune-events.ts';
import { pruneFunctionLogs } from './prune-function-logs.ts';
import { purgeRepository } from './purge-repository.ts';
import { putManifest, putManifests } from './put-manifest.ts';
import { relayEvents } from './relay-events.ts';
import {
  createRepository,
  ensureRepository,
  setVisibility,
  touchRepositories,
} from './repositories.ts';
import { touchManifests } from './retention.ts';
import * as sandboxes from './sandboxes.ts';
import * as scrub from './scrub.ts';
import * as secrets from './secrets.ts';
import * as services from './services.ts';
import * as sessions from './sessions.ts';
import * as signIn from './sign-in.ts';
import { putTag } from './tags.ts';
import { updateTeam } from './team-slugs.ts';
import * as teams from './teams.ts';
import * as tokens from './tokens.ts';
import { emptyTrash, restoreManifest } from './trash.ts';
import * as uploads from './uploads.ts';
import { addTransfer } from './usage.ts';
import * as volumes from './volumes.ts';
import * as webhooks from './webhooks.ts';

/** Every write, by its name in ports/commands.ts. */
export const commands: { readonly [N in CommandName]: Command<N> } = {
  BeginIdempotent: beginIdempotent,
  EndIdempotent: endIdempotent,
  RelayEvents: relayEvents,
  PruneDeployments: pruneDeployments,
  PruneEvents: pruneEvents,
  CreateWebhook: webhooks.createWebhook,
  UpdateWebhook: webhooks.updateWebhook,
  SetWebhookSecret: webhooks.setWebhookSecret,
  DeleteWebhook: webhooks.deleteWebhook,
  RecordAttempt: webhooks.recordAttempt,
  Redeliver: webhooks.redeliver,
  AppendAudit: appendAudit,
  PruneAudit: pruneAudit,
  AppendUsage: functionRecords.appendUsage,
  AppendFunctionLogs: functionRecords.appendFunctionLogs,
  PruneFunctionLogs: pruneFunctionLogs,
  SetPrices: functionRecords.setPrices,
  CreateTeam: teams.createTeam,
  SetTeamPlan: teams.setTeamPlan,
  CreateProject: teams.createProject,
  SetProjectSettings: teams.setProjectSettings,
  UpdateTeam: updateTeam,
  DeleteProject: deleteProject,
  AddTransfer: addTransfer,
  PutSecret: secrets.putSecret,
  DeleteSecret: secrets.deleteSecret,
  PutVariable: secrets.putVariable,
  DeleteVariable: secrets.deleteVariable,
  CreateAccount: accounts.createAccount,
  UpdateAccount: accounts.updateAccount,
  DeleteAccount: accounts.deleteAccount,
  PutMember: putMember,
  RemoveMember: removeMember,
  CreateToken: tokens.createToken,
  RevokeToken: tokens.revokeToken,
  CreateRefreshToken: tokens.createRefreshToken,
  TouchTokens: tokens.touchTokens,
  CreateTrustPolicy: tokens.createTrustPolicy,
  UpdateTrustPolicy: tokens.updateTrustPolicy,
  DeleteTrustPolicy: tokens.deleteTrustPolicy,
  CreateKey: keys.createKey,
  RotateKey: keys.rotateKey,
  CreateIssuedToken: signIn.createIssuedToken,
  RevokeIssuedToken: signIn.revokeIssuedToken,
  DropRefreshToken: signIn.dropRefreshToken,
  CreateSession: sessions.createSession,
  EndSession: sessions.endSession,
  TouchSession: sessions.touchSession,
  BindSignIn: sessions.bindSignIn,
  CreateSignedInAccount: sessions.createSignedInAccount,
  EnsureRepository: ensureRepository,
  SetVisibility: setVisibility,
  CreateRepository: createRepository,
  DeleteRepository: deleteRepository,
  PurgeRepository: purgeRepository,
  TouchRepositories: touchRepositories,
  PutTag: putTag,
  SetProjectRules: setProjectRules,
  SetRepositoryRules: setRepositoryRules,
  StartUpload: uploads.startUpload,
  AdvanceUpload: uploads.advanceUpload,
  FinishUpload: uploads.finishUpload,
  CancelUpload: uploads.cancelUpload,
  ClaimUpload: uploads.claimUpload,
  UnclaimUpload: uploads.unclaimUpload,
  ForgetKeys: uploads.forgetKeys,
  RenewLease: collection.renewLease,
  CollectLinks: collection.collectLinks,
  CollectBlobs: collection.collectBlobs,
  RecordCollection: collection.recordCollection,
  RecordVerified: scrub.recordVerified,
  QuarantineBlob: scrub.quarantineBlob,
  RecordUnreadable: scrub.recordUnreadable,
  QuarantineManifest: scrub.quarantineManifest,
  NoteScrub: scrub.noteScrub,
  StartScrub: scrub.startScrub,
  EndScrub: scrub.endScrub,
  LinkBlob: linkBlob,
  UnlinkBlob: unlinkBlob,
  PutManifest: putManifest,
  PutManifests: putManifests,
  DeleteTag: deleteTag,
  DeleteManifest: deleteManifest,
  RestoreManifest: restoreManifest,
  EmptyTrash: emptyTrash,
  TouchManifests: touchManifests,
  RecordMeasure: recordMeasure,
  CreateService: services.createService,
  UpdateService: services.updateService,
  DeleteService: services.deleteService,
  SetRewrites: services.setRewrites,
  CreateDeployment: deployments.createDeployment,
  ActivateDeployment: deployments.activateDeployment,
  SetDeploymentState: deployments.setDeploymentState,
  MovePointer: pointers.movePointer,
  ClaimDomain: domains.claimDomain,
  CheckDomain: domains.checkDomain,
  RemoveCustomDomain: domains.removeCustomDomain,
  CreateVolume: volumes.createVolume,
  UpdateVolume: volumes.updateVolume,
  DeleteVolume: volumes.deleteVolume,
  AdoptVolume: volumes.adoptVolume,
  DiscardVolume: volumes.discardVolume,
  ForgetRemovedVolumes: volumes.forgetRemovedVolumes,
  CreateSandbox: sandboxes.createSandbox,
  UpdateSandbox: sandboxes.updateSandbox,
  PruneSandboxes: sandboxes.pruneSandboxes,
  CreateInvocation: invocations.createInvocation,
  ClaimInvocations: invocations.claimInvocations,
  FinishInvocation: invocations.finishInvocation,
  PruneInvocations: invocations.pruneInvocations,
  AcquireLease: acquireLease,
  ReleaseLease: releaseLease,
};

/** One command inside the caller's transaction. */
export async function runCommand(
  tx: Executor,
  { name, args, fence }: { name: CommandName; args: unknown; fence?: Fence | undefined },
): Promise<unknown> {
  if (fence) await checkFence(tx, fence);
  const command = commands[name] as (tx: Executor, args: unknown) => Promise<unknown>;
  return command(tx, args);
}
