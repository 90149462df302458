// Enqueue from Go with go-redis. Redis' address is in REDIS_URL.
//
//	go mod init example && go get github.com/redis/go-redis/v9 && go run enqueue.go [SECONDS]
//
// The second job is due in so many seconds (default: 60).
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Job is what lies in the queue. Class and Args are required; more fields are in docs/HANDLERS.md.
type Job struct {
	Class     string  `json:"class"`
	Args      []any   `json:"args"`
	Queue     string  `json:"queue"`
	JID       string  `json:"jid"`
	CreatedAt float64 `json:"created_at"`
	Retry     *int    `json:"retry,omitempty"`
}

// Queue enqueues into one queue.
type Queue struct {
	Redis *redis.Client
	Name  string
}

func seconds(t time.Time) float64 {
	return float64(t.UnixMicro()) / 1e6
}

func (q Queue) job(class string, args []any) (Job, string, error) {
	var id [12]byte
	if _, err := rand.Read(id[:]); err != nil {
		return Job{}, "", err
	}
	job := Job{
		Class:     class,
		Args:      args,
		Queue:     q.Name,
		JID:       hex.EncodeToString(id[:]),
		CreatedAt: seconds(time.Now()),
	}
	text, err := json.Marshal(job)
	return job, string(text), err
}

// EnqueueMany enqueues all of them or none, in their order, and returns their jids.
func (q Queue) EnqueueMany(ctx context.Context, class string, manyArgs ...[]any) ([]string, error) {
	var texts []any
	var jids []string
	for _, args := range manyArgs {
		job, text, err := q.job(class, args)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
		jids = append(jids, job.JID)
	}
	_, err := q.Redis.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.SAdd(ctx, "queues", q.Name)
		pipe.LPush(ctx, "queue:"+q.Name, texts...)
		return nil
	})
	return jids, err
}

// Enqueue enqueues one job and returns its jid.
func (q Queue) Enqueue(ctx context.Context, class string, args ...any) (string, error) {
	jids, err := q.EnqueueMany(ctx, class, args)
	if err != nil {
		return "", err
	}
	return jids[0], nil
}

// EnqueueIn is for later, by Redis' clock, which all workers share.
func (q Queue) EnqueueIn(ctx context.Context, in time.Duration, class string, args ...any) (string, error) {
	now, err := q.Redis.Time(ctx).Result()
	if err != nil {
		return "", err
	}
	job, text, err := q.job(class, args)
	if err != nil {
		return "", err
	}
	due := redis.Z{Score: seconds(now.Add(in)), Member: text}
	return job.JID, q.Redis.ZAdd(ctx, "schedule", due).Err()
}

func run(ctx context.Context, url string, delay time.Duration) error {
	options, err := redis.ParseURL(url)
	if err != nil {
		return err
	}
	// A write whose answer is lost may have been done: go-redis would repeat it, and double the jobs.
	options.MaxRetries = -1
	client := redis.NewClient(options)
	defer client.Close()

	jid, err := Queue{client, "default"}.Enqueue(ctx, "checksum", "/etc/hosts")
	if err != nil {
		return err
	}
	fmt.Println("single", jid)

	jid, err = Queue{client, "default"}.EnqueueIn(ctx, delay, "noop",
		uint64(12345678901234567890), 1.5, "é", []any{}, map[string]any{})
	if err != nil {
		return err
	}
	fmt.Println("delayed", jid)

	jids, err := Queue{client, "low"}.EnqueueMany(ctx, "checksum",
		[]any{"/etc/hosts"}, []any{"/etc/services"}, []any{"/etc/passwd"})
	if err != nil {
		return err
	}
	fmt.Println("bulk", strings.Join(jids, " "))
	return nil
}

func main() {
	url, delay := os.Getenv("REDIS_URL"), 60.0
	if url == "" {
		url = "redis://127.0.0.1:6379"
	}
	if len(os.Args) > 1 {
		var err error
		if delay, err = strconv.ParseFloat(os.Args[1], 64); err != nil {
			log.Fatal(err)
		}
	}
	if err := run(context.Background(), url, time.Duration(delay*float64(time.Second))); err != nil {
		log.Fatal(err)
	}
}
