# SPDX-License-Identifier: GPL-3.0-or-later
"""What crash is asked: as many of its commands and their options as make sense on any dump.

What stands in braces is a place of the one guest, which a first session says
(:mod:`lab.same.places`). Left out are commands that change the session's files (``extend``,
``repeat``), and those that say nothing of the guest (``ascii``, ``exit``, ``help COMMAND``).
"""

from __future__ import annotations

#: What crash knows of the kernel: every offset and size that it looked up when it started.
_INSIDE = """
help -o; help -k; help -m; help -v; help -t; help -T; help -b; help -s
"""

_SYSTEM = """
sys; sys -c; sys -c {pid}; sys -t; sys -i; sys config; mach; mach -m; mach -c; log; log -t; log -d
log -m; log -T; log -c; log -md; irq; irq -b; irq -a; irq -s; irq -c 0 -s; irq -d; irq 1; timer
timer -r; runq; runq -t; runq -T; runq -m; runq -d; runq -g; runq -c 0; dev; dev -i; dev -p; dev -d
dev -D; net; net -a; net -N {task}; net -s {pid}; swap; ipcs; ipcs -s; ipcs -n {pid}; mod; mod -t
set; set -v; mount; waitq {waitq}; fuser /; bpf
"""

_TASKS = """
ps; ps -k; ps -u; ps -G; ps -y RR; ps -m; ps -t; ps -a; ps -l; ps -p {task}; ps -c {kthread}; ps -g
ps -r; ps -s; ps -S; ps -A; ps {pid}; ps {task}; ps init; task; task {pid}; task {kthread}
task -x {task}; task -d {task}; task -R pid,comm,flags,utime,prio,policy,real_parent {task}
task -R thread {task}; task -R se.load,mm,sched_class {kthread}; task -R thread_info {task}; bt
bt -a; bt {pid}; bt {kthread}; bt -t {kthread}; bt -T {kthread}; bt -f {kthread}; bt -F {kthread}
bt -FF {kthread}; bt -l {kthread}; bt -s {kthread}; bt -sx {kthread}; bt -e {task}; bt -r {kthread}
bt -c 0; bt -v; bt -p; bt -n idle; bt -g {kthread}; bt -E; bt -R schedule {kthread}; foreach bt
foreach kernel bt -s; foreach files; foreach vm; foreach sig; foreach net; foreach ps; foreach set
foreach RU bt -c 0; foreach active bt; foreach user vm -m; foreach gleader ps; files; files {pid}
files -d {dentry}; files -p {inode}; files -c {pid}; files -R null {pid}; vm; vm {pid}; vm -p {pid}
vm -m {pid}; vm -v {pid}; vm -R {vma} {pid}; vm -P {vma} {pid}; vm -M {mm}; vm -f 8000075
vm -x {pid}; sig {pid}; sig -l; sig -g {pid}; sig -s 0x7fff; set {pid}; set -p
"""

_MEMORY = """
kmem -i; kmem -s; kmem -s kmalloc-64; kmem -S kmalloc-8k; kmem -S vm_area_struct; kmem -sI dentry
kmem -v; kmem -V; kmem -n; kmem -z; kmem -o; kmem -h; kmem -f; kmem -F; kmem -g; kmem -g 10000
kmem -p {page}; kmem -m flags,lru,_refcount {page}; kmem -P {physical}; kmem {task}; kmem {page}
kmem -s {task}; kmem {vmalloc}; kmem {text}; kmem {dentry}; kmem -v {vmalloc}; kmem -p {physical}
vtop {task}; vtop {text}; vtop {vmalloc}; vtop -u {user}; vtop -c {pid} {user}; vtop {page}
vtop -k {data}; pte 8000000000000067; ptov {physical}; btop {physical}; ptob 1234; ptov 0x1000:a
rd {data}; rd {data} 32; rd -8 {data} 16; rd -16 {data} 8; rd -32 {data} 8; rd -64 {data} 4
rd -s {stack} 64; rd -S {task} 128; rd -SS {task} 128; rd -a {banner}; rd -d {data} 4; rd -D {data}
rd -p {physical} 16; rd -u {user} 8; rd -x {data} 8; rd -o 8 {data} 4; rd -N {data} 4
rd linux_banner; rd -e {text_end} {text}; rd jiffies_64; rd -R {data} 4
search -s {stack} -l 16384 {task}; search -t {task}; search -m ffff -s {data} -l 8192 {task}
search -s {data} -l 65536 -c swapper; search -w -s {data} -l 8192 1; search -T {task}
search -p -s {physical} -l 8192 0; eval 123 * 4; eval -b 0xdeadbeef; eval -l 3g
eval {physical} + 4096
"""

_SYMBOLS = """
sym schedule; sym {text}; sym jiffies; sym -l; sym -m virtio; sym -M; sym -p schedule
sym -n schedule; sym -q kmem_cache_alloc; sym -q rcu_; sym {stack}; sym init_task; sym runqueues
sym -p {text}; sym linux_banner; sym _text _end; sym no_such_symbol; dis schedule; dis -l schedule
dis -r {text}; dis -f {text}; dis -x do_exit 8; dis {text} 12; dis -rl {text}; dis -d schedule 5
dis -s schedule; dis -b {text} 4; dis do_sys_open 20; dis vfs_read; dis -u {user} 4; dis sys_getpid
dis {module_text} 10; dis schedule+16 3; whatis schedule; whatis init_task; whatis runqueues
whatis jiffies; whatis task_struct; whatis struct list_head; whatis vm_area_struct.vm_mm
whatis kmem_cache_alloc; whatis do_exit; whatis init_mm; whatis init_pid_ns
whatis __per_cpu_offset; whatis pid_t; whatis u64; whatis atomic_t; whatis gfp_t; whatis zone_type
whatis pageflags; whatis enum migratetype; whatis virtio_device; whatis -m mm_struct -r 1-256
whatis sys_call_table; whatis system_wq; whatis __cpu_online_mask; whatis file_operations.read
whatis node_data; whatis mem_section; whatis irq_desc_tree; whatis vm_node_stat
whatis super_blocks; whatis modules; whatis inet_protos; whatis ext4_fs_type; whatis nr_cpu_ids
whatis no_such_thing
"""

_TYPES = """
struct list_head; struct task_struct; struct -o task_struct; struct mm_struct; struct -o mm_struct
struct page; struct -o page; struct -o sk_buff; struct inode; struct -o dentry; struct file
struct super_block; struct net_device; struct rq; struct -o rq; struct kmem_cache; struct zone
struct -o pglist_data; struct module; struct pid; struct upid; struct irq_desc
struct thread_struct; struct signal_struct; struct cred; struct vm_area_struct; struct sock
struct request_queue; struct gendisk; struct block_device; struct bio; struct blk_mq_hw_ctx
struct hrtimer_cpu_base; struct timer_base; struct kernfs_node; struct cgroup; struct css_set
struct virtio_device; struct virtqueue; struct e820_table; struct pt_regs; struct inet_sock
struct tcp_sock; struct file_operations; struct mount; struct vfsmount; struct tracepoint
struct bpf_prog; struct perf_event; struct workqueue_struct; struct worker; union bpf_attr
struct kvm_vcpu; struct no_such_struct; union sigval; struct task_struct.pid,comm,tasks,se {task}
struct task_struct {task}; struct -x task_struct {kthread}; struct task_struct.thread {kthread}
struct task_struct.cred,signal,files {task}; struct mm_struct {mm}; struct vm_area_struct {vma}
struct dentry {dentry}; struct inode {inode}; struct page {page}; struct -u list_head {user}
struct -r list_head {data}; struct list_head {data} 4; struct list_head.next,prev -d {data}
struct rq.nr_running,cpu runqueues:a; struct rq.curr runqueues:0; struct rq runqueues:0
struct module {module}; struct module.name,state {module}
struct super_block.s_id,s_type {superblock}; struct kmem_cache {cache}
struct -l task_struct.tasks list_head; struct cpuinfo_x86 cpu_info:0
struct tss_struct cpu_tss_rw:0; struct cred.uid,cap_effective {cred}
struct hrtimer_cpu_base hrtimer_bases:a; struct kernel_cpustat kernel_cpustat:a; struct upid {data}
p jiffies; p jiffies_64; p init_task; p init_task.comm; p -x init_task.flags; p -d init_mm
p init_uts_ns; p init_pid_ns; p runqueues; p runqueues:a; p runqueues:0; p -u jiffies
p linux_banner; p __per_cpu_offset; p nr_cpu_ids; p node_data; p vm_zone_stat; p vm_node_stat
p vm_event_states:a; p modules; p super_blocks; p system_state; p console_drivers; p init_nsproxy
p init_cred; p softirq_vec; p irq_stat:a; p sys_call_table; p tainted_mask; p panic_on_oops
p swap_info; p __cpu_online_mask; p cpu_info:a; p current_task:a; p init_net.ifindex; p slab_caches
p tick_cpu_sched:0; p ((struct task_struct *)0x{task})->comm; p sizeof(struct task_struct)
p &init_task.tasks; p/x init_task.flags; p task_state_array; p hstates; p pageflag_names
p saved_command_line; p boot_cpu_data; p _totalram_pages; p inet_protos; p clocksource_jiffies
p major_names; p chrdevs; p init_css_set; p cgrp_dfl_root; p dmi_ident; p NR_VM_ZONE_STAT_ITEMS
p (enum zone_type)1; p PG_locked; p iomem_resource; p ioport_resource; p efi; p printk_rb_static
p prb; p tk_core; p kallsyms_names; list -h {task} -o task_struct.tasks
list -r task_struct.tasks -h {task}; foreach RU task -R pid,state
list -H slab_caches kmem_cache.list; list -H modules module.list -s module.name,state
list -h {vma} -s vm_area_struct.vm_start; list -B -H modules
list -o task_struct.sibling -h {kthread}; tree -t xarray {xarray} -p
tree -t rbtree vmap_area_root -o vmap_area.rb_node; tree -t xarray {idr}; tree -t maple {maple}
tree -t maple {maple} -p -v -l
"""

_GDB = """
gdb print init_task.comm; gdb ptype struct list_head; gdb ptype struct task_struct
gdb ptype/o struct list_head; gdb ptype/o struct task_struct; gdb whatis init_task
gdb print sizeof(struct page); gdb print &init_task; gdb info symbol 0x{text}; gdb x/8xg &init_task
gdb x/4i schedule; gdb x/s linux_banner; gdb info address schedule; gdb info line schedule
gdb info scope schedule; gdb list schedule; gdb ptype init_task; gdb print (enum zone_type)0
gdb print init_uts_ns.name; gdb ptype schedule; gdb whatis do_exit
gdb info functions ^schedule_timeout$; gdb info variables ^jiffies; gdb info types ^list_head$
gdb ptype enum pageflags; gdb print (long)&((struct task_struct *)0)->comm; gdb print/x jiffies_64
gdb ptype struct thread_struct; gdb print *init_task.cred; gdb print &runqueues
gdb ptype struct rq; gdb print schedule; gdb print *kmem_cache_alloc; gdb info source
gdb ptype struct sk_buff; gdb ptype struct net; gdb print init_task.thread
gdb print sizeof(init_task); gdb info symbol schedule
"""


def templates() -> list[str]:
    """Every command once, in the order in which they are asked."""
    text = "".join((_INSIDE, _SYSTEM, _TASKS, _MEMORY, _SYMBOLS, _TYPES, _GDB))
    listed = [part.strip() for line in text.splitlines() for part in line.split(";")]
    return list(dict.fromkeys(filter(None, listed)))
