/* What is said about each kind of finding. The sentences complete what fsck_report() was told. */
#include "fsck_run.h"

const struct fsck_text fsck_texts[FSCK_RULES] = {
    [FSCK_WRONG_TYPE] =
        {"wrong-type",
         "commands on it fail, so whoever needs the key passes it over or stands still",
         "renames it to sluice:quarantine:KEY:MILLISECONDS, where nothing is lost and nothing is "
         "in "
         "the way",
         true},
    [FSCK_NO_TTL] =
        {"no-ttl",
         "they stay until the memory is full; a lease that stays makes a dead worker look alive",
         "sets the time to live that they would have got", true},
    [FSCK_UNSEEN_QUEUE] = {"unseen-queue",
                           "its jobs run if a worker serves it, but no dashboard shows them and "
                           "nobody sees when none does",
                           "adds its name to the set `queues`", true},
    [FSCK_ORPHAN_CLAIM] =
        {"orphan-claim",
         "recovery looks only where the registry points, so these jobs would never run",
         "puts the claim back into the registry; a living worker then adopts it, and that of a "
         "dead "
         "one is recovered like any other",
         true},
    [FSCK_ORPHAN_REGISTRY] =
        {"orphan-registry", "nobody looks for the claims of a worker whose name is not there",
         "adds the worker to sluice:workers, where the ordinary recovery finds it", true},
    [FSCK_ORPHAN_LEASE] =
        {"orphan-lease",
         "the worker lives and claims, but if it dies nobody will look for its jobs",
         "adds the worker to sluice:workers", true},
    [FSCK_DEAD_WORKER] =
        {"dead-worker",
         "a live worker recovers the jobs of a dead one within the lease and a sweep of 5 s; here "
         "that has not happened",
         "gives its jobs back to their queues, after Redis has answered without trouble for a full "
         "lease, and if it has not come back by then",
         true},
    [FSCK_DYING_WORKER] =
        {"dying-worker", "it has reported a moment ago",
         "nothing: a live worker recovers its jobs within the lease and a sweep of 5 s", false},
    [FSCK_IDLE_TRIAL] =
        {"idle-trial",
         "jobs whose workers died three times get one last try, and only a worker of that queue "
         "gives it",
         "start a worker with this queue in worker.queues", false},
    [FSCK_NO_JOB] = {"no-job", "no worker can run them; it would bury them when it meets them",
                     "moves them to the dead set as they are", true},
    [FSCK_BAD_SCORE] = {"millisecond-score",
                        "scores are seconds, so these jobs would wait for tens of thousands of "
                        "years",
                        "divides the score by 1000 until it is one in seconds", true},
    [FSCK_NEVER_DUE] = {"never-due", "infinity never comes, so these jobs would wait forever",
                        "moves them to the dead set, from where they can be started by hand", true},
    [FSCK_LOST_JOB] =
        {"lost-job",
         "whoever waits for one of them waits in vain: it will neither end nor run again",
         "enqueue it again if it matters; the hash goes away by itself", false},
    [FSCK_QUARANTINE] = {"quarantine", "an earlier repair has put them aside",
                         "look at them, and delete or rename them by hand", false},
};
