import {
  type ApplicationFailure,
  Client,
  Connection,
  WorkflowFailedError,
  WorkflowUpdateFailedError,
} from "@temporalio/client";

interface ReleaseStatus {
  phase: string;
  note: string;
  stable: string | null;
  candidate: string | null;
  routing: { stable: string | null; canary: string | null; percent: number };
  paused: boolean;
  rollout?: string;
  problems?: { field: string; problem: string }[];
}

const address = process.env.TEMPORAL_ADDRESS ?? "127.0.0.1:7233";
const connection = await Connection.connect({ address });
const client = new Client({ connection });

const release = await client.workflow.start("Release", {
  taskQueue: "lambda-releases",
  workflowId: "pr-14",
  args: [
    {
      target: { function: "checkout", alias: "live" },
      artifact: { kind: "s3", bucket: "artifacts", key: "checkout/good.zip" },
      strategy: "Canary10Percent5Minutes",
      requested_by: "ci",
      reason: "PR 14",
    },
  ],
});

let status = await release.query<ReleaseStatus>("status");
while (["preparing", "shifting"].includes(status.phase)) {
  await new Promise((resolve) => setTimeout(resolve, 500));
  status = await release.query<ReleaseStatus>("status");
}
console.log(status.rollout, status.phase, status.routing.percent);

/** Send an update; one that is sent again with the same id is answered, not done again. */
async function steer(name: string, input: object, updateId?: string): Promise<ReleaseStatus> {
  return release.executeUpdate<ReleaseStatus, [object]>(name, { args: [input], updateId });
}

console.log((await steer("pause", { by: "ana", reason: "p99 is up" }, "pause-14")).note);
try {
  await steer("pause", { by: "bo" });
} catch (error) {
  if (!(error instanceof WorkflowUpdateFailedError)) throw error;
  const refused = error.cause as ApplicationFailure;
  console.log(refused.type, refused.message); // Refused paused already
}
await steer("resume", { by: "ana" });
await steer("abort", { by: "ana", reason: "wrong build" });

try {
  status = (await release.result()) as ReleaseStatus;
  console.log(status.phase);
} catch (error) {
  if (!(error instanceof WorkflowFailedError)) throw error;
  const failure = error.cause as ApplicationFailure;
  status = failure.details?.[0] as ReleaseStatus;
  console.log(failure.type, status.phase); // ReleaseRolledBack rolled_back
}
await connection.close();
