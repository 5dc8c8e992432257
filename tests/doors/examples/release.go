package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

type Status struct {
	Phase   string `json:"phase"`
	Note    string `json:"note"`
	Rollout string `json:"rollout"`
	Routing struct {
		Percent int `json:"percent"`
	} `json:"routing"`
}

func main() {
	ctx := context.Background()
	temporalClient, err := client.Dial(client.Options{HostPort: "127.0.0.1:7233"})
	must(err)
	defer temporalClient.Close()

	release, err := temporalClient.ExecuteWorkflow(ctx,
		client.StartWorkflowOptions{ID: "pr-15", TaskQueue: "lambda-releases"},
		"Release", map[string]any{
			"target": map[string]any{"function": "checkout", "alias": "live"},
			"artifact": map[string]any{
				"kind": "s3", "bucket": "artifacts", "key": "checkout/good.zip",
			},
			"strategy": "Canary10Percent5Minutes",
		})
	must(err)

	status := Status{Phase: "preparing"}
	for status.Phase == "preparing" || status.Phase == "shifting" {
		time.Sleep(time.Second)
		answer, err := temporalClient.QueryWorkflow(ctx, "pr-15", "", "status")
		must(err)
		must(answer.Get(&status))
	}

	handle, err := temporalClient.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: "pr-15", UpdateName: "abort",
		Args:         []any{map[string]any{"by": "ana", "reason": "wrong build"}},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	must(err)
	must(handle.Get(ctx, &status)) // an *ApplicationError of type Refused, if it is refused

	var failure *temporal.ApplicationError
	if err := release.Get(ctx, &status); errors.As(err, &failure) {
		must(failure.Details(&status))
		fmt.Println(failure.Type(), status.Phase) // ReleaseRolledBack rolled_back
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
