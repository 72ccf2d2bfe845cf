"""kcat, fed with a record a line without rest: the contract is in steady.py. It says where a record was delivered but not which one it was, so this counts: of
the records of a partition the first that was fed is the first that is delivered. Its consumer needs no program: the format of its output can be ours. With -E it
goes on when no broker can be reached, as libraries do."""
import re
import subprocess
import sys
import threading
import time
import zlib
from collections import defaultdict, deque

from steady import PAUSE_S, record, say, until_terminated

stopped = until_terminated()
bootstrap, topic, partitions, producer_id = sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
DELIVERED = re.compile(r'Message delivered to partition (\d+) \(offset (-?\d+)\)')
fed = defaultdict(deque)
acked = 0
kcat = subprocess.Popen(
    ['kcat', '-P', '-b', bootstrap, '-t', topic, '-K', '\t', '-vvv', '-E', '-X', 'broker.address.family=v4', '-X', 'enable.idempotence=true', '-X', 'delivery.timeout.ms=120000',
     '-X', 'topic.produce.offset.report=true'], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def listen():
    global acked
    for line in kcat.stderr:
        delivered = DELIVERED.search(line)
        if delivered:
            partition = int(delivered[1])
            key, value = fed[partition].popleft()
            acked += 1
            say('producer_send_success', partition=partition, offset=int(delivered[2]), key=key, value=value)
        elif 'Delivery failed' in line:
            say('producer_send_error', message=line.strip())
        else:
            sys.stderr.write(line)


listener = threading.Thread(target=listen)
listener.start()
sent = 0
try:
    while not stopped():
        key, value = record(producer_id, sent)
        # librdkafka's partitioner of keys
        fed[zlib.crc32(key.encode()) % partitions].append((key, value))
        kcat.stdin.write(f'{key}\t{value}\n')
        kcat.stdin.flush()
        sent += 1
        time.sleep(PAUSE_S)
    kcat.stdin.close()
except BrokenPipeError:
    say('producer_send_error', message='kcat has ended')
kcat.wait()
listener.join()
say('tool_data', sent=sent, acked=acked)
sys.exit(kcat.returncode)
