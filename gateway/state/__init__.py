"""What outlives a request and is shared between processes.

The *log* is the ordered list of revocation entries; a *position* is an entry's place in it. Every process
holds the whole log as an in-memory index and reads the *tail* when the log has *moved*. The *counter* is
the last position in memory shared by all processes of a host, so that moving is noticed without a read. The
*spool* holds entries that the log could not take yet. The *log id* names one life of the log: another id
means that entries may be lost.
"""
